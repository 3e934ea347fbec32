import { type Classifier, ServerError } from "./classifier";
import type { FaceDetector } from "./detector";
import { type Box, squareAround } from "./geometry";
import { type Grey, greySquare, resize } from "./pixels";
import { Backoff } from "./serving";
import { smooth, type Track, Tracker } from "./tracking";

/** A face as it was shown to the model. */
export interface Face {
  track: Track;
  square: Box;
  crop: Grey;
}

/** From a frame to faces with probabilities. */
export class Analysis {
  /** What the server answered last, if that was a failure. */
  serverError = "";
  /** Seconds from a frame to its label, the last time. */
  latency = 0;
  private tracker = new Tracker();
  private looking: Promise<unknown> = Promise.resolve();
  private asking: Promise<void> | undefined;
  private readonly backoff = new Backoff();

  constructor(
    private readonly detector: FaceDetector,
    private readonly classifier: Classifier,
    private readonly size: number,
  ) {}

  /** Seconds until a server that failed should be asked again. */
  get pause(): number {
    return this.backoff.pause(now());
  }

  /** Finds the faces of a picture that stands still and waits for their labels. */
  still(frame: OffscreenCanvas): Promise<Face[]> {
    return this.noting(this.study(frame));
  }

  /**
   * Finds the faces of a moving picture's frame. Never waits for a server: while it is busy, faces are
   * followed and keep their labels, and when it has answered, it gets the newest frame.
   */
  moving(frame: OffscreenCanvas): Promise<Face[]> {
    return this.noting(this.follow(frame));
  }

  /** Waits for what is under way and lets go of the networks. */
  async close(): Promise<void> {
    await this.looking;
    await this.asking;
    this.detector.delete();
    this.classifier.delete();
  }

  private async study(frame: OffscreenCanvas): Promise<Face[]> {
    this.tracker = new Tracker();
    await this.asking;
    const boxes = await this.detector.detectAll(frame);
    const faces = this.cut(frame, this.tracker.update(boxes, now()));
    if (faces.length > 0) await this.ask(faces, now());
    return faces;
  }

  /** Keeps what is under way, for `close` to wait for. */
  private noting(faces: Promise<Face[]>): Promise<Face[]> {
    const before = this.looking;
    this.looking = faces.then(
      () => before,
      () => before,
    );
    return faces;
  }

  private async follow(frame: OffscreenCanvas): Promise<Face[]> {
    const started = now();
    const known = this.tracker.known.map(({ box }) => box);
    const boxes = await this.detector.detectNext(frame, known);
    const faces = this.cut(frame, this.tracker.update(boxes, started));
    if (faces.length > 0 && !this.asking && this.backoff.ready(started)) {
      this.asking = this.ask(faces, started).finally(() => {
        this.asking = undefined;
      });
    }
    return faces;
  }

  private cut(frame: OffscreenCanvas, tracks: Track[]): Face[] {
    if (tracks.length === 0) return [];
    const context = frame.getContext("2d", { willReadFrequently: true })!;
    const pixels = context.getImageData(0, 0, frame.width, frame.height);
    return tracks.map((track) => {
      const square = squareAround(track.box);
      const crop = resize(greySquare(pixels, square), square.width, this.size);
      return { track, square, crop };
    });
  }

  private async ask(faces: Face[], started: number): Promise<void> {
    try {
      const answer = await this.classifier.classify(faces.map(({ crop }) => crop));
      faces.forEach(({ track }, i) => {
        smooth(track, answer.probabilities[i]!, now());
        track.labels = answer.labels;
      });
      this.latency = now() - started;
      this.serverError = "";
      this.backoff.succeeded();
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
      this.serverError = error.message;
      this.backoff.failed(now());
    }
  }
}

function now(): number {
  return performance.now() / 1000;
}
