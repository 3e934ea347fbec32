/**
 * Reads and edits what LiteRT.js leaves out of a `.tflite` file, a FlatBuffer of TensorFlow Lite's
 * `schema.fbs`. Fields are named by their position in the schema's tables.
 */
import { ByteBuffer } from "flatbuffers";

const MODEL_SUBGRAPHS = 2;
const SUBGRAPH_TENSORS = 0;
const SUBGRAPH_OUTPUTS = 2;
const TENSOR_SHAPE = 0;
const TENSOR_QUANTIZATION = 4;
const TENSOR_SHAPE_SIGNATURE = 7;
const QUANTIZATION_SCALE = 2;
const QUANTIZATION_ZERO_POINT = 3;

/** `(value - zeroPoint) * scale` is the real value of a quantized one. */
export interface Quantization {
  scale: number;
  zeroPoint: number;
}

/** Quantization of the model's first output; undefined for a float output. */
export function outputQuantization(file: Uint8Array): Quantization | undefined {
  const buffer = new ByteBuffer(file);
  const subgraph = tables(buffer, root(buffer), MODEL_SUBGRAPHS)[0]!;
  const outputs = vector(buffer, subgraph, SUBGRAPH_OUTPUTS)!;
  const tensor = tables(buffer, subgraph, SUBGRAPH_TENSORS)[buffer.readInt32(outputs.start)]!;
  const field = offset(buffer, tensor, TENSOR_QUANTIZATION);
  if (!field) return undefined;
  const quantization = buffer.__indirect(tensor + field);
  const scales = vector(buffer, quantization, QUANTIZATION_SCALE);
  const zeroPoints = vector(buffer, quantization, QUANTIZATION_ZERO_POINT);
  if (!scales?.length) return undefined;
  return {
    scale: buffer.readFloat32(scales.start),
    zeroPoint: zeroPoints?.length ? Number(buffer.readInt64(zeroPoints.start)) : 0,
  };
}

/** The real values of a quantized tensor. */
export function dequantize(values: ArrayLike<number>, by: Quantization): Float32Array {
  return Float32Array.from(values, (value) => (value - by.zeroPoint) * by.scale);
}

/**
 * Declares the batch, which the file leaves open (-1), to be the 1 that its tensors are shaped for.
 *
 * LiteRT.js compares the shape of an input with the declared one and so refuses every input of a model
 * whose batch is open. Weights and operators stay as they are.
 *
 * @returns a copy of the file.
 */
export function withFixedBatch(file: Uint8Array): Uint8Array {
  const copy = file.slice();
  const buffer = new ByteBuffer(copy);
  for (const subgraph of tables(buffer, root(buffer), MODEL_SUBGRAPHS)) {
    for (const tensor of tables(buffer, subgraph, SUBGRAPH_TENSORS)) {
      const shape = vector(buffer, tensor, TENSOR_SHAPE);
      const declared = vector(buffer, tensor, TENSOR_SHAPE_SIGNATURE);
      if (!shape || !declared) continue;
      for (let i = 0; i < declared.length; i++) {
        const at = declared.start + 4 * i;
        if (buffer.readInt32(at) < 0) buffer.writeInt32(at, buffer.readInt32(shape.start + 4 * i));
      }
    }
  }
  return copy;
}

function root(buffer: ByteBuffer): number {
  if (!buffer.__has_identifier("TFL3")) throw new Error("not a .tflite file");
  return buffer.readInt32(0);
}

function offset(buffer: ByteBuffer, table: number, field: number): number {
  return buffer.__offset(table, 4 + 2 * field);
}

function vector(
  buffer: ByteBuffer,
  table: number,
  field: number,
): { start: number; length: number } | undefined {
  const at = offset(buffer, table, field);
  if (!at) return undefined;
  return { start: buffer.__vector(table + at), length: buffer.__vector_len(table + at) };
}

function tables(buffer: ByteBuffer, table: number, field: number): number[] {
  const found = vector(buffer, table, field);
  if (!found) return [];
  return Array.from({ length: found.length }, (_, i) => buffer.__indirect(found.start + 4 * i));
}
