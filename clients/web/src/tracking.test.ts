import { expect, test } from "vitest";
import { argmax, smooth, Tracker } from "./tracking";

const LEFT = { left: 0, top: 0, width: 100, height: 100 };
const RIGHT = { left: 300, top: 0, width: 80, height: 80 };

test("a face keeps its number while it moves, and largest comes first", () => {
  const tracker = new Tracker();
  const [left, right] = tracker.update([RIGHT, LEFT], 0).map(({ id }) => id);
  const moved = tracker.update(
    [
      { ...RIGHT, left: 310 },
      { ...LEFT, top: 8 },
    ],
    0.03,
  );
  expect(moved.map(({ id }) => id)).toEqual([left, right]);
});

test("a face that is away for a moment is known again, and after longer it is not", () => {
  const tracker = new Tracker();
  const [first] = tracker.update([LEFT], 0);
  tracker.update([], 0.2);
  expect(tracker.update([LEFT], 0.4)[0]!.id).toBe(first!.id);
  tracker.update([], 1);
  expect(tracker.update([LEFT], 1.1)[0]!.id).not.toBe(first!.id);
});

test("smoothing depends on time, not on the number of answers", () => {
  const [once, often] = [0, 1].map(() => ({ id: 1, box: LEFT, seen: 0 }));
  for (const track of [once!, often!]) smooth(track, Float32Array.of(1, 0), 0);
  smooth(once!, Float32Array.of(0, 1), 0.4);
  for (let i = 1; i <= 40; i++) smooth(often!, Float32Array.of(0, 1), i / 100);
  const [a, b] = [once!, often!].map(
    (track) => (track as { probabilities?: Float32Array }).probabilities!,
  );
  expect(a![0]).toBeCloseTo(Math.exp(-1), 4);
  expect(b![0]).toBeCloseTo(a![0]!, 4);
});

test("argmax takes the first of equals", () => {
  expect(argmax([1, 3, 3])).toBe(1);
});
