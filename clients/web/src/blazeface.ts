/**
 * Decoding of BlazeFace, short range (Bazarevsky et al., 2019, arXiv:1907.05047); anchors and numbers
 * are those of MediaPipe's `face_detection_short_range` graph.
 */
import { type Box, overlap } from "./geometry";

/** Side of the square image the network sees. */
export const INPUT_SIDE = 128;
/** Numbers that the network gives for each anchor: box, then six key points, which are not used. */
const VALUES_PER_ANCHOR = 16;
/** Cells along a side, and anchors in each cell: strides 8 and three times 16, two anchors each. */
const GRIDS = [
  { cells: 16, anchors: 2 },
  { cells: 8, anchors: 6 },
] as const;
const LEAST_SCORE = 0.5;
/** Boxes that share more, as intersection over union, are of one face. */
export const MOST_OVERLAP = 0.3;

/** A face; the box is in units of the network's input, 0 to 1. */
export interface Detection {
  box: Box;
  score: number;
}

/** Centres of the anchors in the network's order: x, y, x, y, ..., 0 to 1. */
export function anchorCentres(): Float32Array {
  const centres: number[] = [];
  for (const { cells, anchors } of GRIDS) {
    for (let cell = 0; cell < cells * cells; cell++) {
      const x = ((cell % cells) + 0.5) / cells;
      const y = (Math.floor(cell / cells) + 0.5) / cells;
      for (let i = 0; i < anchors; i++) centres.push(x, y);
    }
  }
  return new Float32Array(centres);
}

const ANCHORS = anchorCentres();

/**
 * Turns the network's outputs into faces, best first.
 *
 * @param regressors 896 * 16 values: offset of the box's centre from the anchor's, width and height in
 *   pixels of the input, key points.
 * @param logits 896 values.
 */
export function decode(regressors: ArrayLike<number>, logits: ArrayLike<number>): Detection[] {
  const found: Detection[] = [];
  for (let i = 0; i < logits.length; i++) {
    const score = 1 / (1 + Math.exp(-logits[i]!));
    if (score < LEAST_SCORE) continue;
    const at = i * VALUES_PER_ANCHOR;
    const width = regressors[at + 2]! / INPUT_SIDE;
    const height = regressors[at + 3]! / INPUT_SIDE;
    const x = ANCHORS[2 * i]! + regressors[at]! / INPUT_SIDE;
    const y = ANCHORS[2 * i + 1]! + regressors[at + 1]! / INPUT_SIDE;
    found.push({ box: { left: x - width / 2, top: y - height / 2, width, height }, score });
  }
  return blend(found);
}

/** Merges boxes that overlap into their mean weighted by score, which jitters less than the best one. */
export function blend(detections: Detection[]): Detection[] {
  const merged: Detection[] = [];
  let rest = [...detections].sort((a, b) => b.score - a.score);
  while (rest.length > 0) {
    const best = rest[0]!;
    const same = rest.filter(
      (other) => other === best || overlap(other.box, best.box) > MOST_OVERLAP,
    );
    rest = rest.filter((other) => !same.includes(other));
    const total = same.reduce((sum, { score }) => sum + score, 0);
    const mean = (side: keyof Box) =>
      same.reduce((sum, { box, score }) => sum + score * box[side], 0) / total;
    const box = {
      left: mean("left"),
      top: mean("top"),
      width: mean("width"),
      height: mean("height"),
    };
    merged.push({ box, score: best.score });
  }
  return merged;
}
