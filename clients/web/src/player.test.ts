import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Face } from "./analysis";
import { Player } from "./player";

/** A canvas that shows nothing. */
class Canvas {
  width = 1;
  height = 1;
  getContext() {
    return { clearRect() {}, drawImage() {} };
  }
}

/** A video whose frames come when the test says so. */
class Video {
  paused = false;
  videoWidth = 8;
  videoHeight = 8;
  private waiting: (() => void)[] = [];

  requestVideoFrameCallback(callback: () => void) {
    this.waiting.push(callback);
  }

  async nextFrame() {
    for (const callback of this.waiting.splice(0)) callback();
    await settled();
  }

  async play() {
    this.paused = false;
  }

  pause() {
    this.paused = true;
  }
}

function moving(video: Video) {
  const source = { video: video as unknown as HTMLVideoElement, mirrored: false, stop() {} };
  return async () => ({ moving: source });
}

const picture = async () => ({
  picture: { width: 8, height: 8, close() {} } as unknown as ImageBitmap,
});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("OffscreenCanvas", Canvas);
  vi.stubGlobal("HTMLVideoElement", Video);
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Lets go on what waits for no timer. */
async function settled() {
  await vi.advanceTimersByTimeAsync(0);
}

/** A player whose looks take until the test ends them. */
function slow() {
  const looks: { isMoving: boolean; end: (faces: Face[]) => void; fail: () => void }[] = [];
  const shown: Face[][] = [];
  const player = new Player(
    (_, isMoving) =>
      new Promise((end, reject) => {
        looks.push({ isMoving, end, fail: () => reject(new Error("closed")) });
      }),
    (faces) => shown.push(faces),
  );
  return { player, looks, shown };
}

const BEFORE: Face[] = [];
const NOW: Face[] = [];

test("what a look found is not shown once the picture is looked at again", async () => {
  const { player, looks, shown } = slow();
  await player.open(picture);
  const before = player.play();
  const now = player.play();
  looks[1]!.end(NOW);
  await now;
  looks[0]!.end(BEFORE);
  await before;
  expect(shown).toHaveLength(1);
  expect(shown[0]).toBe(NOW);
});

test("a look that nobody waits for may fail", async () => {
  const { player, looks, shown } = slow();
  await player.open(picture);
  const before = player.play();
  const now = player.play();
  looks[0]!.fail();
  await before;
  looks[1]!.fail();
  await expect(now).rejects.toThrow("closed");
  expect(shown).toEqual([]);
});

test("a moving picture is looked at again at once, and once a frame as before", async () => {
  const { player, looks, shown } = slow();
  const video = new Video();
  await player.open(moving(video));
  void player.play();
  void player.play();
  looks[0]!.end(BEFORE);
  looks[1]!.end(NOW);
  await settled();
  expect(shown).toHaveLength(1);
  expect(shown[0]).toBe(NOW);
  await video.nextFrame();
  expect(looks).toHaveLength(3);
});

test("a video that is paused is looked at again as a picture that stands still", async () => {
  const { player, looks, shown } = slow();
  const video = new Video();
  await player.open(moving(video));
  void player.play();
  looks[0]!.end(BEFORE);
  await settled();
  player.togglePause();
  looks[1]!.end(NOW);
  await settled();
  expect(looks.map(({ isMoving }) => isMoving)).toEqual([true, false]);
  expect(shown[1]).toBe(NOW);
});

test("a video that goes on does not wait for the look at where it was paused", async () => {
  const { player, looks, shown } = slow();
  const video = new Video();
  await player.open(moving(video));
  player.togglePause();
  player.togglePause();
  looks[1]!.end(NOW);
  await settled();
  await video.nextFrame();
  expect(looks.map(({ isMoving }) => isMoving)).toEqual([false, true, true]);
  expect(shown).toHaveLength(1);
});

/** A player that is told to look again two seconds after each look, as while a server is away. */
function retrying() {
  const look = vi.fn(async () => []);
  const player = new Player(look, () => player.playAfter(2));
  return { player, look };
}

test("of pictures opened one after the other, only the last is looked at again", async () => {
  const { player, look } = retrying();
  for (let opened = 0; opened < 3; opened++) {
    await player.open(picture);
    await player.play();
  }
  look.mockClear();
  await vi.advanceTimersByTimeAsync(1999);
  expect(look).toHaveBeenCalledTimes(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(look).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(4000);
  expect(look).toHaveBeenCalledTimes(3);
});

test("a picture that was closed is not looked at again", async () => {
  const { player, look } = retrying();
  await player.open(picture);
  await player.play();
  player.close();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(look).toHaveBeenCalledTimes(1);
});

test("a picture that is looked at again before its time waits anew", async () => {
  const { player, look } = retrying();
  await player.open(picture);
  await player.play();
  await vi.advanceTimersByTimeAsync(1000);
  await player.play();
  await vi.advanceTimersByTimeAsync(1999);
  expect(look).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(look).toHaveBeenCalledTimes(3);
});
