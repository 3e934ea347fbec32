import { expect, test } from "vitest";
import { around, isWhole, overlap, squareAround, tiles, wholeFrame } from "./geometry";

test("a face's crop is a square around it, larger and a little higher than the box", () => {
  const crop = squareAround({ left: 100, top: 200, width: 80, height: 100 });
  expect(crop).toEqual({ left: 81, top: 181, width: 118, height: 118 });
});

test("a crop is at least one pixel", () => {
  expect(squareAround({ left: 5, top: 5, width: 0, height: 0 }).width).toBe(1);
});

test("overlap is intersection over union", () => {
  const box = { left: 0, top: 0, width: 10, height: 10 };
  expect(overlap(box, box)).toBe(1);
  expect(overlap(box, { ...box, left: 5 })).toBeCloseTo(1 / 3);
  expect(overlap(box, { ...box, left: 10 })).toBe(0);
});

test("the whole frame is seen in a square with its longer side", () => {
  expect(wholeFrame(640, 480)).toEqual({ left: 0, top: -80, width: 640, height: 640 });
});

test.each([
  [1280, 720],
  [480, 640],
  [300, 300],
  [1000, 100],
])("tiles cover a frame of %i x %i and overlap by half or more", (width, height) => {
  const found = tiles(width, height);
  const side = Math.max(width, height) / 2;
  for (const [length, start] of [
    [width, "left"],
    [height, "top"],
  ] as const) {
    const starts = [...new Set(found.map((tile) => tile[start]))].sort((a, b) => a - b);
    expect(starts[0]).toBeLessThanOrEqual(0);
    expect(starts.at(-1)! + side).toBeGreaterThanOrEqual(length);
    starts.slice(1).forEach((value, i) => {
      expect(value - starts[i]!).toBeLessThanOrEqual(side / 2);
    });
  }
});

test("a small face is searched for in a square with room around it", () => {
  const square = around({ left: 100, top: 100, width: 20, height: 30 });
  expect(square).toEqual({ left: 65, top: 70, width: 90, height: 90 });
});

test("a box that a tile cuts is not whole, but one that the frame cuts is", () => {
  const tile = { left: 0, top: 0, width: 100, height: 100 };
  expect(isWhole({ left: 90, top: 10, width: 20, height: 20 }, tile, 200, 200)).toBe(false);
  expect(isWhole({ left: -5, top: 10, width: 20, height: 20 }, tile, 200, 200)).toBe(true);
});
