import type { Face } from "./analysis";
import { drawFrame, type MovingSource } from "./sources";

export type Source = { moving: MovingSource } | { picture: ImageBitmap };

/** Has the frames of the source that is open looked at, one after the other. */
export class Player {
  /** The frame that was looked at last. */
  readonly frame = new OffscreenCanvas(1, 1);
  /** Smoothed; 0 for a still picture. */
  framesPerSecond = 0;
  private source: Source | undefined;
  /**
   * Counts what was opened, closed and looked at anew, so that what is late knows that its time is over.
   */
  private turn = 0;
  private lastFrame = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param look finds the faces of a frame; a paused video's does not move.
   * @param show is given the faces of `frame`.
   */
  constructor(
    private readonly look: (frame: OffscreenCanvas, isMoving: boolean) => Promise<Face[]>,
    private readonly show: (faces: Face[]) => void,
  ) {}

  get isOpen(): boolean {
    return this.source !== undefined;
  }

  get isPaused(): boolean {
    return this.video?.paused ?? false;
  }

  /** Whether frames follow by themselves. */
  get isMoving(): boolean {
    return this.video !== undefined && !this.isPaused;
  }

  /** The video that plays, a camera's too. */
  get video(): HTMLVideoElement | undefined {
    return this.source && "moving" in this.source ? this.source.moving.video : undefined;
  }

  /**
   * Opens a source in place of the present one; `play` starts it.
   *
   * @returns false if something else was opened or closed in the meantime.
   */
  async open(opening: () => Promise<Source>): Promise<boolean> {
    this.close();
    const turn = this.turn;
    try {
      const source = await opening();
      if (turn === this.turn) this.source = source;
      else stop(source);
    } catch (error) {
      if (turn === this.turn) throw error;
    }
    return turn === this.turn;
  }

  close(): void {
    clearTimeout(this.timer);
    if (this.source) stop(this.source);
    this.source = undefined;
    this.turn++;
    this.framesPerSecond = 0;
    this.lastFrame = 0;
  }

  /**
   * Looks at a still picture once, at a moving one until it is closed, in place of a look that is under
   * way, such as another model's.
   */
  async play(): Promise<void> {
    const { source, video } = this;
    if (!source) return;
    clearTimeout(this.timer);
    const turn = ++this.turn;
    let isMoving = this.isMoving;
    do {
      drawFrame("picture" in source ? source.picture : source.moving.video, this.frame);
      const faces = await this.look(this.frame, isMoving).catch((error: unknown) => {
        if (turn === this.turn) throw error;
        return [];
      });
      if (turn !== this.turn) return;
      if (video) this.count(performance.now());
      this.show(faces);
      if (video) await nextFrame(video);
      // A video that was paused has gone on.
      isMoving = true;
    } while (video && turn === this.turn);
  }

  /** Plays in some seconds, unless something else is played or closed before. */
  playAfter(seconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.play(), 1000 * seconds);
  }

  togglePause(): void {
    const { video } = this;
    if (!video) return;
    if (video.paused) {
      void video.play();
      void this.play();
    } else {
      video.pause();
      // In full: of a moving picture, an answer that is late is for a later frame.
      void this.play();
    }
  }

  private count(now: number): void {
    if (this.lastFrame) {
      const present = 1000 / (now - this.lastFrame);
      this.framesPerSecond += (present - this.framesPerSecond) * (this.framesPerSecond ? 0.1 : 1);
    }
    this.lastFrame = now;
  }
}

function stop(source: Source): void {
  if ("picture" in source) source.picture.close();
  else source.moving.stop();
}

/** Waits for the next frame of a video; forever if it is stopped. */
function nextFrame(video: HTMLVideoElement): Promise<unknown> {
  return new Promise((resolve) =>
    "requestVideoFrameCallback" in video
      ? video.requestVideoFrameCallback(resolve)
      : requestAnimationFrame(resolve),
  );
}
