import type { Grey } from "./pixels";

/** Probabilities of the crops of one frame. */
export interface Classification {
  /** Class names, in the order of the probabilities. */
  labels: string[];
  /** One array a crop. */
  probabilities: Float32Array[];
}

/** Tells the expressions of faces. */
export interface Classifier {
  /** What answers, as shown on the page. */
  readonly name: string;
  /**
   * @param crops size * size values each; at least one.
   * @throws {ServerError} a server did not answer as it should.
   */
  classify(crops: Grey[]): Promise<Classification>;
  delete(): void;
}

/** A server that cannot be reached, is too slow, or refuses. */
export class ServerError extends Error {}
