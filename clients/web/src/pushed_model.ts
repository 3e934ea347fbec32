import type { Classification, Classifier } from "./classifier";
import { fetchBytes, fetchJson } from "./fetching";
import type { Grey } from "./pixels";
import { type Accelerator, compile, type Network } from "./runtime";
import { dequantize, outputQuantization, type Quantization, withFixedBatch } from "./tflite_file";

export type Precision = "float32" | "int8";

/** The manifest that the pipeline writes beside a pushed model, as far as the page uses it. */
export interface Manifest {
  version: number;
  labels: string[];
  input_shape: [number, number, number];
  metrics: Record<string, number>;
  files: Record<string, { sha256: string }>;
}

/** The manifest of the newest pushed model. */
export function fetchManifest(): Promise<Manifest> {
  return fetchJson<Manifest>("model/manifest.json");
}

/** A pushed `.tflite` file, run in the browser. */
export class PushedModel implements Classifier {
  readonly name: string;

  private constructor(
    private readonly network: Network,
    private readonly manifest: Manifest,
    private readonly quantization: Quantization | undefined,
    precision: Precision,
    accelerator: Accelerator,
  ) {
    const where = accelerator === "webgpu" ? "WebGPU" : "WebAssembly";
    this.name = `v${manifest.version} · ${precision} · ${where}`;
  }

  /** @throws {Error} the file is missing or not the one that the manifest describes. */
  static async load(
    manifest: Manifest,
    precision: Precision,
    accelerator: Accelerator,
  ): Promise<PushedModel> {
    const file = `model_${precision}.tflite`;
    const bytes = await fetchBytes(`model/${manifest.version}/${file}`);
    if ((await sha256(bytes)) !== manifest.files[file]?.sha256) {
      throw new Error(`${file} is not the file that its manifest describes`);
    }
    const network = await compile(withFixedBatch(bytes), accelerator);
    const quantization = outputQuantization(bytes);
    return new PushedModel(network, manifest, quantization, precision, accelerator);
  }

  async classify(crops: Grey[]): Promise<Classification> {
    const probabilities = [];
    for (const crop of crops) {
      const outputs = await this.network.run(crop, [1, ...this.manifest.input_shape]);
      const values = outputs.probabilities!;
      probabilities.push(
        this.quantization ? dequantize(values, this.quantization) : Float32Array.from(values),
      );
    }
    return { labels: this.manifest.labels, probabilities };
  }

  delete(): void {
    this.network.delete();
  }
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
