/** LiteRT.js: where networks run, one at a time. */
import { type CompiledModel, loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

export type Accelerator = "webgpu" | "wasm";

type Values = Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** A network with one input and outputs by name. */
export interface Network {
  run(input: Values, shape: number[]): Promise<Record<string, ArrayLike<number>>>;
  delete(): void;
}

/**
 * Loads the WebAssembly runtime from the page's own origin.
 *
 * WebGPU takes a real GPU and a browser with JSPI, without which the int8 model fails to read its
 * weights back.
 *
 * @returns what networks can run on, best first.
 */
export async function loadRuntime(): Promise<Accelerator[]> {
  const gpu = (await hasGpu()) && "Suspending" in WebAssembly;
  await loadLiteRt(new URL("wasm/", document.baseURI).href, { jspi: gpu });
  return gpu ? ["webgpu", "wasm"] : ["wasm"];
}

/** Compiles a `.tflite` file of the batch size that it will be run with. */
export async function compile(file: Uint8Array, accelerator: Accelerator): Promise<Network> {
  const model = await exclusively(() =>
    // A GPU may offer half precision; the labels are to be those of the model that was gated.
    loadAndCompile(file, { accelerator, gpuOptions: { precision: "fp32" } }),
  );
  return {
    run: (input, shape) => exclusively(() => run(model, input, shape)),
    delete: () => void exclusively(async () => model.delete()),
  };
}

async function run(model: CompiledModel, input: Values, shape: number[]) {
  const tensor = new Tensor(input, shape);
  let outputs: Tensor[] = [];
  try {
    outputs = await model.run([tensor]);
    const values: Record<string, ArrayLike<number>> = {};
    for (const [i, { name }] of model.getOutputDetails().entries()) {
      values[name] = await outputs[i]!.data();
    }
    return values;
  } finally {
    for (const each of [tensor, ...outputs]) each.delete();
  }
}

async function hasGpu(): Promise<boolean> {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return adapter != null && !adapter.info.isFallbackAdapter;
}

let last: Promise<unknown> = Promise.resolve();

/** Runs tasks one after the other: a run that waits for the GPU has the runtime's stack suspended. */
function exclusively<T>(task: () => Promise<T>): Promise<T> {
  const result = last.then(task, task);
  last = result.catch(() => undefined);
  return result;
}
