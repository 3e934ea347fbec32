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
  const [again] = [1.1, 1.13, 1.16].map((time) => tracker.update([LEFT], time)).at(-1)!;
  expect(again!.id).not.toBe(first!.id);
});

test("a new face is believed when it was found in three frames running", () => {
  const tracker = new Tracker();
  tracker.update([LEFT], 0);
  const counts = [1, 2, 3, 4].map((i) => tracker.update([LEFT, RIGHT], i / 30).length);
  expect(counts).toEqual([1, 1, 2, 2]);
});

test("what is taken for a face now and then is not believed", () => {
  const tracker = new Tracker();
  for (let i = 0; i < 60; i++) {
    const boxes = i % 3 === 0 ? [LEFT] : [LEFT, RIGHT];
    expect(tracker.update(boxes, i / 30)).toHaveLength(1);
  }
});

test("smoothing depends on time, not on the number of answers", () => {
  const [once, often] = [0, 1].map(() => ({ id: 1, box: LEFT, seen: 0, hits: 3 }));
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
