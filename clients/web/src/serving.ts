import { type Classification, type Classifier, ServerError } from "./classifier";
import type { Grey } from "./pixels";

/** A TensorFlow Serving REST endpoint, from the page's `settings.json`. */
export interface Endpoint {
  /** Such as `http://localhost:8501`. */
  url: string;
  model: string;
}

const TIMEOUT_MILLISECONDS = 10_000;

/**
 * Asks a server by TensorFlow Serving's Classify, whose answer names the classes, so that a server may
 * have another model than the one pushed here.
 */
export class ServedModel implements Classifier {
  readonly name: string;
  private readonly base: string;
  private readonly canvas: OffscreenCanvas;

  /** @param size side of the crops in pixels. */
  constructor(
    endpoint: Endpoint,
    private readonly size: number,
  ) {
    this.base = `${endpoint.url}/v1/models/${endpoint.model}`;
    this.name = `${endpoint.model} · ${new URL(endpoint.url).host}`;
    this.canvas = new OffscreenCanvas(size, size);
  }

  async classify(crops: Grey[]): Promise<Classification> {
    const examples = [];
    for (const crop of crops) examples.push({ image: { b64: await this.encode(crop) } });
    const { results } = await this.ask({ signature_name: "classify", examples });
    const labels = results[0]!.map(([label]) => label);
    const probabilities = results.map((row) => Float32Array.from(row, ([, score]) => score));
    return { labels, probabilities };
  }

  delete(): void {}

  private async ask(request: object): Promise<{ results: [string, number][][] }> {
    try {
      const response = await fetch(`${this.base}:classify`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
      });
      const answer = await response.json();
      if (!response.ok) throw new ServerError(answer.error ?? `${response.status}`);
      return answer;
    } catch (error) {
      if (error instanceof ServerError) throw error;
      throw new ServerError(error instanceof Error ? error.message : String(error));
    }
  }

  /** PNG of a crop in base64; it is lossless, so the model sees the very pixels. */
  private async encode(crop: Grey): Promise<string> {
    const image = new ImageData(this.size, this.size);
    for (const [i, value] of crop.entries()) image.data.set([value, value, value, 255], 4 * i);
    this.canvas.getContext("2d")!.putImageData(image, 0, 0);
    const png = await this.canvas.convertToBlob({ type: "image/png" });
    const bytes = new Uint8Array(await png.arrayBuffer());
    return btoa(String.fromCharCode(...bytes));
  }
}

/** When to ask a server again that failed: after 1, 2, 4, 8 and then every 8 seconds. */
export class Backoff {
  private failures = 0;
  private until = 0;

  /** Whether to ask now, in seconds. */
  ready(now: number): boolean {
    return now >= this.until;
  }

  /** Seconds from now until it is time to ask. */
  pause(now: number): number {
    return Math.max(0, this.until - now);
  }

  failed(now: number): void {
    this.until = now + Math.min(2 ** this.failures++, 8);
  }

  succeeded(): void {
    this.failures = 0;
    this.until = 0;
  }
}
