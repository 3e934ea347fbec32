import weights from "@mediapipe/face_detection/face_detection_short_range.tflite?url";
import { type Detection, decode, INPUT_SIDE, MOST_OVERLAP } from "./blazeface";
import { fetchBytes } from "./fetching";
import { around, type Box, isWhole, overlap, tiles, wholeFrame } from "./geometry";
import { type Accelerator, compile, type Network } from "./runtime";

/** Width over the frame's longer side under which a face may be missed in the whole frame. */
const SMALL = 0.2;
/** How many such faces are searched for one by one. */
const MOST_SMALL = 6;

/** Finds faces, boxes in pixels of the frame. */
export class FaceDetector {
  private readonly context = new OffscreenCanvas(INPUT_SIDE, INPUT_SIDE).getContext("2d", {
    willReadFrequently: true,
  })!;

  private readonly input = new Float32Array(INPUT_SIDE * INPUT_SIDE * 3);
  /** The tile that was searched last. */
  private turn = 0;

  private constructor(private readonly network: Network) {
    this.context.imageSmoothingQuality = "high";
  }

  static async load(accelerator: Accelerator): Promise<FaceDetector> {
    return new FaceDetector(await compile(await fetchBytes(weights), accelerator));
  }

  /**
   * Faces of a moving picture's frame: near ones at once, further ones within a few frames.
   *
   * @param known faces of the frame before.
   */
  async detectNext(frame: OffscreenCanvas, known: Box[]): Promise<Box[]> {
    const { width, height } = frame;
    const small = known.filter((box) => box.width < SMALL * Math.max(width, height));
    const further = tiles(width, height);
    this.turn = (this.turn + 1) % further.length;
    return this.searchAll(frame, [...small.slice(0, MOST_SMALL).map(around), further[this.turn]!]);
  }

  /** Faces of a still picture, from a tenth of its longer side up to one that fills it. */
  async detectAll(frame: OffscreenCanvas): Promise<Box[]> {
    const { width, height } = frame;
    const found = await this.searchAll(frame, tiles(width, height));
    // A face that fills the frame is found with room around it.
    return found.length > 0 ? found : boxes(await this.search(frame, wholeFrame(width, height, 2)));
  }

  delete(): void {
    this.network.delete();
  }

  /** Searches the whole frame, then closer for what was not found in it. */
  private async searchAll(frame: OffscreenCanvas, squares: Box[]): Promise<Box[]> {
    const { width, height } = frame;
    const found = boxes(await this.search(frame, wholeFrame(width, height)));
    for (const square of squares) {
      for (const box of boxes(await this.search(frame, square))) {
        const isNew = found.every((other) => overlap(box, other) <= MOST_OVERLAP);
        if (isNew && isWhole(box, square, width, height)) found.push(box);
      }
    }
    return found;
  }

  /** Shows the network a square of the frame; what lies beyond the frame is black. */
  private async search(frame: OffscreenCanvas, square: Box): Promise<Detection[]> {
    const scale = INPUT_SIDE / square.width;
    this.context.fillRect(0, 0, INPUT_SIDE, INPUT_SIDE);
    this.context.drawImage(
      frame,
      -square.left * scale,
      -square.top * scale,
      frame.width * scale,
      frame.height * scale,
    );
    const { data } = this.context.getImageData(0, 0, INPUT_SIDE, INPUT_SIDE);
    const { input } = this;
    for (let from = 0, to = 0; from < data.length; from += 4) {
      for (let channel = 0; channel < 3; channel++) input[to++] = data[from + channel]! / 127.5 - 1;
    }
    const outputs = await this.network.run(input, [1, INPUT_SIDE, INPUT_SIDE, 3]);
    return decode(outputs.regressors!, outputs.classificators!).map(({ box, score }) => ({
      box: {
        left: square.left + box.left * square.width,
        top: square.top + box.top * square.width,
        width: box.width * square.width,
        height: box.height * square.width,
      },
      score,
    }));
  }
}

function boxes(detections: Detection[]): Box[] {
  return detections.map(({ box }) => box);
}
