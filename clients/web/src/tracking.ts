import { type Box, overlap } from "./geometry";

/** Time constant of the smoothing of probabilities, in seconds. */
const SMOOTHING_SECONDS = 0.4;
/** A face that was not seen for so long is forgotten. */
const FORGET_SECONDS = 0.5;
const LEAST_OVERLAP = 0.3;

/** A face followed from frame to frame. Times are in seconds. */
export interface Track {
  id: number;
  box: Box;
  seen: number;
  /** Smoothed over time, in the order of the classifier's labels; undefined before the first answer. */
  probabilities?: Float32Array;
  /** When `probabilities` were last updated. */
  classified?: number;
}

/** Follows faces by the overlap of their boxes. */
export class Tracker {
  private tracks: Track[] = [];
  private nextId = 1;

  /** Faces that were seen lately. */
  get known(): readonly Track[] {
    return this.tracks;
  }

  /** Takes the boxes of a frame and returns the faces in it, largest first. */
  update(boxes: Box[], now: number): Track[] {
    const pairs = boxes
      .flatMap((box) =>
        this.tracks.map((track) => ({ box, track, shared: overlap(box, track.box) })),
      )
      .filter(({ shared }) => shared >= LEAST_OVERLAP)
      .sort((a, b) => b.shared - a.shared);
    const matched = new Map<Box, Track>();
    const taken = new Set<Track>();
    for (const { box, track } of pairs) {
      if (matched.has(box) || taken.has(track)) continue;
      matched.set(box, track);
      taken.add(track);
    }
    const visible = boxes.map((box) => {
      const track = matched.get(box) ?? { id: this.nextId++, box, seen: now };
      track.box = box;
      track.seen = now;
      return track;
    });
    const waiting = this.tracks.filter(
      (track) => !taken.has(track) && now - track.seen <= FORGET_SECONDS,
    );
    this.tracks = [...visible, ...waiting];
    return visible.sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
  }
}

/**
 * Blends new probabilities into a track: an exponential moving average whose weight follows from the
 * time since the last answer, so that frames per second do not change how fast a label reacts.
 */
export function smooth(track: Track, probabilities: Float32Array, now: number): void {
  const before = track.probabilities;
  if (before?.length !== probabilities.length || track.classified === undefined) {
    track.probabilities = probabilities;
  } else {
    const weight = 1 - Math.exp(-(now - track.classified) / SMOOTHING_SECONDS);
    track.probabilities = before.map((value, i) => value + weight * (probabilities[i]! - value));
  }
  track.classified = now;
}

/** Index of the largest value. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
