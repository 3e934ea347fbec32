import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const WASM = join(import.meta.dirname, "node_modules/@litertjs/core/wasm");

/** Copies LiteRT.js's runtimes as they are: each script looks for its .wasm beside itself. */
function liteRtWasm(): Plugin {
  return {
    name: "litert-wasm",
    generateBundle() {
      // The threaded build stays out: it needs a cross-origin isolated page and gains nothing on
      // networks this small.
      for (const name of readdirSync(WASM).filter((file) => !file.includes("threaded"))) {
        this.emitFile({
          type: "asset",
          fileName: `wasm/${name}`,
          source: readFileSync(join(WASM, name)),
        });
      }
    },
  };
}

export default defineConfig({
  base: "./",
  assetsInclude: ["**/*.tflite"],
  // The Content-Security-Policy allows no inline data.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false },
  plugins: [liteRtWasm()],
});
