import { expect, test } from "vitest";
import { anchorCentres, blend, decode } from "./blazeface";

const COUNT = 896;

function outputs(faces: { anchor: number; logit: number; values: number[] }[]) {
  const regressors = new Float32Array(COUNT * 16);
  const logits = new Float32Array(COUNT).fill(-10);
  for (const { anchor, logit, values } of faces) {
    regressors.set(values, anchor * 16);
    logits[anchor] = logit;
  }
  return [regressors, logits] as const;
}

test("there are two anchors for each of 16 x 16 cells and six for each of 8 x 8", () => {
  const centres = anchorCentres();
  expect(centres.length).toBe(2 * COUNT);
  expect([...centres.slice(0, 6)]).toEqual([0.03125, 0.03125, 0.03125, 0.03125, 0.09375, 0.03125]);
  expect([...centres.slice(2 * 512, 2 * 512 + 2)]).toEqual([0.0625, 0.0625]);
  expect([...centres.slice(-2)]).toEqual([0.9375, 0.9375]);
});

test("a box is decoded from its anchor, in units of the input", () => {
  const [regressors, logits] = outputs([{ anchor: 512, logit: 2, values: [8, -4, 32, 64] }]);
  const [face] = decode(regressors, logits);
  expect(face!.score).toBeCloseTo(1 / (1 + Math.exp(-2)));
  expect(face!.box.left).toBeCloseTo(0.0625 + 8 / 128 - 0.125);
  expect(face!.box.top).toBeCloseTo(0.0625 - 4 / 128 - 0.25);
  expect(face!.box.width).toBeCloseTo(0.25);
  expect(face!.box.height).toBeCloseTo(0.5);
});

test("what scores under one half is no face", () => {
  expect(decode(...outputs([{ anchor: 0, logit: -0.01, values: [0, 0, 32, 32] }]))).toEqual([]);
});

test("boxes of one face are blended by score, and those of two faces stay two", () => {
  const box = { left: 0, top: 0, width: 10, height: 10 };
  const faces = blend([
    { box: { ...box, left: 2 }, score: 0.5 },
    { box, score: 1 },
    { box: { ...box, left: 50 }, score: 0.7 },
  ]);
  expect(faces.map(({ score }) => score)).toEqual([1, 0.7]);
  expect(faces[0]!.box.left).toBeCloseTo(2 / 3);
});
