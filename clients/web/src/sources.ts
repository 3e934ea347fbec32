/** Where pictures come from. */
import type { MessageKey } from "./messages";

/** Something that cannot be shown, told by a message of the page. */
export class SourceError extends Error {
  constructor(readonly key: MessageKey) {
    super(key);
  }
}

/** A picture that moves; `video` plays until `stop`. */
export interface MovingSource {
  video: HTMLVideoElement;
  mirrored: boolean;
  stop(): void;
}

/**
 * Opens a camera.
 *
 * @param ended called when it is unplugged.
 */
export async function openCamera(ended: () => void): Promise<MovingSource> {
  let stream: MediaStream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
    });
  } catch (error) {
    const denied = error instanceof DOMException && error.name === "NotAllowedError";
    throw new SourceError(denied ? "cameraDenied" : "cameraMissing");
  }
  for (const track of stream.getTracks()) track.addEventListener("ended", ended);
  const video = silentVideo();
  video.srcObject = stream;
  await video.play();
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
  return { video, mirrored: true, stop };
}

/** Opens a video file, which starts again at its end. */
export async function openVideo(file: File): Promise<MovingSource> {
  const video = silentVideo();
  video.loop = true;
  video.src = URL.createObjectURL(file);
  const stop = () => {
    video.pause();
    URL.revokeObjectURL(video.src);
    video.removeAttribute("src");
  };
  try {
    await video.play();
    if (!video.videoWidth) throw new Error("no picture");
  } catch {
    stop();
    throw new SourceError("videoBroken");
  }
  return { video, mirrored: false, stop };
}

/** Opens a picture file, upright. */
export async function openPicture(file: File): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new SourceError("pictureBroken");
  }
}

/** Longest side of a frame that is analysed, in pixels. */
const LONGEST_SIDE = 1280;

/** Draws a picture, or a video's present one, on a canvas of its size, or smaller if it is large. */
export function drawFrame(source: ImageBitmap | HTMLVideoElement, frame: OffscreenCanvas): void {
  const isVideo = source instanceof HTMLVideoElement;
  const width = isVideo ? source.videoWidth : source.width;
  const height = isVideo ? source.videoHeight : source.height;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (frame.width !== w || frame.height !== h) Object.assign(frame, { width: w, height: h });
  const context = frame.getContext("2d", { willReadFrequently: true })!;
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, w, h);
  context.drawImage(source, 0, 0, w, h);
}

function silentVideo(): HTMLVideoElement {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  return video;
}
