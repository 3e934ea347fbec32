import { expect, test } from "vitest";
import { type Grey, greySquare, luma, resize } from "./pixels";

/** A fixed pattern without symmetry. */
function pattern(side: number): Grey {
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    return (x * 37 + y * 91 + x * y * 5) % 256;
  });
}

test("grey is BT.601 luma, and grey stays the grey it is", () => {
  expect(luma(255, 0, 0)).toBe(76);
  expect(luma(0, 255, 0)).toBe(150);
  expect(luma(0, 0, 255)).toBe(29);
  for (let value = 0; value < 256; value++) expect(luma(value, value, value)).toBe(value);
});

test("a square repeats the frame's edge where it reaches beyond", () => {
  const data = new Uint8ClampedArray([10, 20, 30, 40].flatMap((v) => [v, v, v, 255]));
  const frame = { data, width: 2, height: 2 };
  const square = { left: -1, top: 0, width: 3, height: 3 };
  expect([...greySquare(frame, square)]).toEqual([10, 10, 20, 30, 30, 40, 30, 30, 40]);
});

// From tf.image.resize(..., antialias=True), rounded and clipped as in pipeline/preprocessing.py.
test.each([
  [
    11,
    4,
    [
      [109, 116, 126, 141],
      [115, 127, 146, 139],
      [113, 129, 145, 127],
      [131, 125, 135, 128],
    ],
  ],
  [
    5,
    7,
    [
      [0, 21, 48, 74, 100, 127, 148],
      [52, 75, 103, 132, 160, 126, 65],
      [117, 142, 152, 131, 162, 114, 35],
      [182, 209, 169, 20, 54, 87, 114],
      [64, 93, 108, 92, 128, 164, 193],
      [56, 87, 126, 164, 125, 132, 163],
      [108, 141, 181, 222, 80, 47, 80],
    ],
  ],
])("resizing %i to %i pixels gives TensorFlow's values", (side, size, expected) => {
  const resized = resize(pattern(side), side, size);
  for (const [i, value] of expected.flat().entries()) {
    expect(Math.abs(resized[i]! - value)).toBeLessThanOrEqual(1);
  }
});

test("an image of the model's size is left as it is", () => {
  expect(resize(pattern(48), 48, 48)).toEqual(pattern(48));
});
