import type { Box } from "./geometry";

/** What `ImageData` holds: rows of red, green, blue and alpha, 0 to 255. */
export interface RgbaImage {
  data: Uint8ClampedArray;
  width: number;
  height: number;
}

/** Grey values row by row, 0 to 255. */
export type Grey = Uint8Array<ArrayBuffer>;

/** BT.601 luma in 16 bit fixed point, as libjpeg and OpenCV compute grey, and so the training data. */
export function luma(red: number, green: number, blue: number): number {
  return (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
}

/**
 * Cuts out a square in grey; beyond the frame's edge the edge's pixels go on.
 *
 * @param square whole pixels.
 * @returns side * side values.
 */
export function greySquare(frame: RgbaImage, square: Box): Grey {
  const side = square.width;
  const grey = new Uint8Array(side * side);
  for (let y = 0; y < side; y++) {
    const row = clamp(square.top + y, frame.height - 1) * frame.width;
    for (let x = 0; x < side; x++) {
      const at = 4 * (row + clamp(square.left + x, frame.width - 1));
      grey[y * side + x] = luma(frame.data[at]!, frame.data[at + 1]!, frame.data[at + 2]!);
    }
  }
  return grey;
}

/**
 * Resamples a square grey image as `tf.image.resize(antialias=True)` does, which training used:
 * bilinearly, with a kernel that widens where the image shrinks.
 */
export function resize(grey: Grey, side: number, size: number): Grey {
  if (side === size) return grey;
  const kernel = triangleKernel(side, size);
  const rows = new Float32Array(size * side);
  kernel.forEach(({ first, weights }, y) => {
    for (let x = 0; x < side; x++) {
      rows[y * side + x] = weights.reduce(
        (sum, weight, k) => sum + weight * grey[(first + k) * side + x]!,
        0,
      );
    }
  });
  const resized = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    kernel.forEach(({ first, weights }, x) => {
      const value = weights.reduce(
        (sum, weight, k) => sum + weight * rows[y * side + first + k]!,
        0,
      );
      resized[y * size + x] = clamp(Math.round(value), 255);
    });
  }
  return resized;
}

interface Span {
  first: number;
  weights: number[];
}

/** For each of `size` outputs, which of `side` inputs it averages and with which weights. */
function triangleKernel(side: number, size: number): Span[] {
  const step = side / size;
  const radius = Math.max(1, step);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * step;
    const first = Math.max(0, Math.ceil(centre - radius - 0.5));
    const last = Math.min(side - 1, Math.floor(centre + radius - 0.5));
    const weights = Array.from({ length: last - first + 1 }, (_, k) =>
      Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / radius),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

function clamp(value: number, highest: number): number {
  return Math.max(0, Math.min(value, highest));
}
