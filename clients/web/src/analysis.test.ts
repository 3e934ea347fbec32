import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Analysis } from "./analysis";
import { type Classifier, ServerError } from "./classifier";
import type { FaceDetector } from "./detector";

const SIZE = 8;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A grey frame with one face. */
function scene() {
  const image = { width: SIZE, height: SIZE, data: new Uint8ClampedArray(4 * SIZE * SIZE) };
  const context = { getImageData: () => image };
  const frame = { width: SIZE, height: SIZE, getContext: () => context };
  const detector = { detectAll: async () => [{ left: 0, top: 0, width: SIZE, height: SIZE }] };
  return {
    frame: frame as unknown as OffscreenCanvas,
    detector: detector as unknown as FaceDetector,
  };
}

test("a face has the names of what it was told, whatever is told of the next", async () => {
  const { frame, detector } = scene();
  const answers = [["happy", "sad"], ["bored"]];
  const server: Classifier = {
    name: "server",
    async classify() {
      const labels = answers.shift()!;
      return { labels, probabilities: [Float32Array.from(labels, () => 1 / labels.length)] };
    },
    delete() {},
  };
  const analysis = new Analysis(detector, server, SIZE);
  const [first] = await analysis.still(frame);
  const [second] = await analysis.still(frame);
  expect(first!.track.labels).toEqual(["happy", "sad"]);
  expect(second!.track.labels).toEqual(["bored"]);
});

test("a still picture waits 1, 2, 4, 8 and 8 seconds for a server that is away", async () => {
  const { frame, detector } = scene();
  let isThere = false;
  const server: Classifier = {
    name: "server",
    async classify() {
      if (!isThere) throw new ServerError("away");
      return { labels: ["happy"], probabilities: [Float32Array.of(1)] };
    },
    delete() {},
  };
  const analysis = new Analysis(detector, server, SIZE);
  for (const pause of [1, 2, 4, 8, 8]) {
    await analysis.still(frame);
    expect(analysis.serverError).toBe("away");
    expect(analysis.pause).toBeCloseTo(pause);
    await vi.advanceTimersByTimeAsync(1000 * pause);
  }
  isThere = true;
  await analysis.still(frame);
  expect(analysis.serverError).toBe("");
  expect(analysis.pause).toBe(0);
});
