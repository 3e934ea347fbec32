import { Builder } from "flatbuffers";
import { expect, test } from "vitest";
import { dequantize, outputQuantization, withFixedBatch } from "./tflite_file";

/** A model of one tensor, its input and output, as `schema.fbs` lays it out. */
function model(quantized: boolean): Uint8Array {
  const b = new Builder();
  let quantization = 0;
  if (quantized) {
    b.startVector(4, 1, 4);
    b.addFloat32(0.00390625);
    const scale = b.endVector();
    b.startVector(8, 1, 8);
    b.addInt64(3n);
    const zeroPoint = b.endVector();
    b.startObject(4);
    b.addFieldOffset(2, scale, 0);
    b.addFieldOffset(3, zeroPoint, 0);
    quantization = b.endObject();
  }
  const shape = int32s(b, [1, 48, 48, 1]);
  const signature = int32s(b, [-1, 48, 48, 1]);
  b.startObject(8);
  b.addFieldOffset(0, shape, 0);
  b.addFieldOffset(4, quantization, 0);
  b.addFieldOffset(7, signature, 0);
  const tensors = offsets(b, [b.endObject()]);
  const outputs = int32s(b, [0]);
  b.startObject(3);
  b.addFieldOffset(0, tensors, 0);
  b.addFieldOffset(2, outputs, 0);
  const subgraphs = offsets(b, [b.endObject()]);
  b.startObject(3);
  b.addFieldOffset(2, subgraphs, 0);
  b.finish(b.endObject(), "TFL3");
  return b.asUint8Array().slice();
}

function int32s(b: Builder, values: number[]): number {
  b.startVector(4, values.length, 4);
  for (const value of values.toReversed()) b.addInt32(value);
  return b.endVector();
}

function offsets(b: Builder, values: number[]): number {
  b.startVector(4, values.length, 4);
  for (const value of values.toReversed()) b.addOffset(value);
  return b.endVector();
}

test("a quantized output tells its scale and zero point, a float one none", () => {
  expect(outputQuantization(model(true))).toEqual({ scale: 0.00390625, zeroPoint: 3 });
  expect(outputQuantization(model(false))).toBeUndefined();
});

test("real values come from quantized ones", () => {
  const values = dequantize(Uint8Array.of(3, 131), { scale: 0.00390625, zeroPoint: 3 });
  expect([...values]).toEqual([0, 0.5]);
});

test("the open batch becomes 1, and no other byte changes", () => {
  const before = model(true);
  const after = withFixedBatch(before);
  const changed = [...before.keys()].filter((i) => before[i] !== after[i]);
  expect(changed.length).toBe(4);
  expect(new DataView(before.buffer).getInt32(changed[0]!, true)).toBe(-1);
  expect(new DataView(after.buffer).getInt32(changed[0]!, true)).toBe(1);
});

test("another kind of file is refused", () => {
  expect(() => outputQuantization(new Uint8Array(64))).toThrow("not a .tflite file");
});
