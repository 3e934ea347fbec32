import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Player } from "./player";

/** A canvas that shows nothing. */
class Canvas {
  width = 1;
  height = 1;
  getContext() {
    return { clearRect() {}, drawImage() {} };
  }
}

const picture = async () => ({
  picture: { width: 8, height: 8, close() {} } as unknown as ImageBitmap,
});

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("OffscreenCanvas", Canvas);
  vi.stubGlobal("HTMLVideoElement", class {});
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A player that is told to look again two seconds after each look, as while a server is away. */
function retrying() {
  const look = vi.fn(async () => []);
  const player = new Player(look, () => player.playAgainAfter(2));
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
  await player.playAgain();
  await vi.advanceTimersByTimeAsync(1999);
  expect(look).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(look).toHaveBeenCalledTimes(3);
});
