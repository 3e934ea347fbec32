import type { Face } from "./analysis";

/** A face's box and the words over it. */
export interface Tag {
  face: Face;
  text: string;
}

/** Draws a frame and its faces; a mirrored frame's words stay readable. */
export function drawStage(
  stage: HTMLCanvasElement,
  frame: OffscreenCanvas,
  tags: Tag[],
  mirrored: boolean,
): void {
  const { width, height } = frame;
  if (stage.width !== width || stage.height !== height) Object.assign(stage, { width, height });
  const context = stage.getContext("2d")!;
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
  context.drawImage(frame, 0, 0);
  context.resetTransform();
  // Sizes follow the screen, not the frame, which may be shown much smaller.
  const unit = 1.4 * Math.max(width / stage.clientWidth, height / stage.clientHeight);
  context.font = `600 ${10 * unit}px system-ui, "Noto Sans SC", sans-serif`;
  context.textBaseline = "middle";
  for (const { face, text } of tags) {
    const { left, top, width: side } = face.square;
    drawBox(context, mirrored ? width - left - side : left, top, side, unit);
    drawText(context, text, mirrored ? width - left - side : left, top, unit);
  }
}

export function clearStage(stage: HTMLCanvasElement): void {
  stage.getContext("2d")!.clearRect(0, 0, stage.width, stage.height);
}

function drawBox(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  side: number,
  unit: number,
): void {
  // Light on dark, so that it shows on any picture.
  for (const [colour, lineWidth] of [
    ["#10131a", 3 * unit],
    ["#ffffff", 1.4 * unit],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = lineWidth;
    context.strokeRect(left, top, side, side);
  }
}

function drawText(
  context: CanvasRenderingContext2D,
  text: string,
  left: number,
  top: number,
  unit: number,
): void {
  const [width, height] = [context.measureText(text).width + 8 * unit, 16 * unit];
  const x = Math.max(0, Math.min(left, context.canvas.width - width));
  const y = Math.max(0, top - height - 2 * unit);
  context.fillStyle = "#10131ae0";
  context.fillRect(x, y, width, height);
  context.fillStyle = "#ffffff";
  context.fillText(text, x + 4 * unit, y + height / 2);
}
