/** A rectangle in pixels of the frame; it may reach beyond the frame's edges. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/**
 * Side of the crop over the longer side of BlazeFace's box, and how far the crop's centre lies above the
 * box's, in longer sides of the box: BlazeFace's boxes end at the eyebrows, FER2013's images do not.
 */
const CROP_SCALE = 1.18;
const CROP_LIFT = 0.1;

/** The square that the model is shown for a face, in whole pixels: as in the training data. */
export function squareAround(box: Box): Box {
  const longer = Math.max(box.width, box.height);
  const side = longer * CROP_SCALE;
  const whole = Math.max(1, Math.round(side));
  return {
    left: Math.round(box.left + box.width / 2 - side / 2),
    top: Math.round(box.top + box.height / 2 - longer * CROP_LIFT - side / 2),
    width: whole,
    height: whole,
  };
}

/** Intersection over union, 0 to 1. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.width * a.height + b.width * b.height - shared);
}

/** The square around the middle of a frame whose side is the frame's longer one, times `zoom`. */
export function wholeFrame(width: number, height: number, zoom = 1): Box {
  const side = zoom * Math.max(width, height);
  return { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side };
}

/** A square around a small face, in which it is large enough to be found. */
export function around(box: Box): Box {
  const side = 3 * Math.max(box.width, box.height);
  const left = box.left + (box.width - side) / 2;
  const top = box.top + (box.height - side) / 2;
  return { left, top, width: side, height: side };
}

/** Squares of half the frame's longer side that cover it, each overlapping the next by half or more. */
export function tiles(width: number, height: number): Box[] {
  const side = Math.max(width, height) / 2;
  return starts(height, side).flatMap((top) =>
    starts(width, side).map((left) => ({ left, top, width: side, height: side })),
  );
}

/** Whether a box lies in a tile with the frame's own edges as the only ones that may cut it. */
export function isWhole(box: Box, tile: Box, width: number, height: number): boolean {
  const [right, bottom] = [tile.left + tile.width, tile.top + tile.height];
  return (
    (box.left >= tile.left || tile.left <= 0) &&
    (box.top >= tile.top || tile.top <= 0) &&
    (box.left + box.width <= right || right >= width) &&
    (box.top + box.height <= bottom || bottom >= height)
  );
}

function starts(length: number, side: number): number[] {
  const spare = length - side;
  if (spare <= 0) return [spare / 2];
  const steps = Math.ceil(spare / (side / 2));
  return Array.from({ length: steps + 1 }, (_, i) => (spare * i) / steps);
}
