import { type Box, overlap } from "./geometry";

/** Time constant of the smoothing of probabilities, in seconds. */
const SMOOTHING_SECONDS = 0.4;
/** A face that was not seen for so long is forgotten. */
const FORGET_SECONDS = 0.5;
const LEAST_OVERLAP = 0.3;
/**
 * Frames running in which a face must be found until it is believed, as in SORT (Bewley et al., 2016):
 * what a detector takes for a face by mistake seldom lasts.
 */
const LEAST_HITS = 3;

/** A face followed from frame to frame. Times are in seconds. */
export interface Track {
  id: number;
  box: Box;
  seen: number;
  /** In how many frames it was found. */
  hits: number;
  /** Smoothed over time, in the order of `labels`; undefined before the first answer. */
  probabilities?: Float32Array;
  /** Class names, from the classifier that answered. */
  labels?: string[];
  /** When `probabilities` were last updated. */
  classified?: number;
}

/** Follows faces by the overlap of their boxes. */
export class Tracker {
  private tracks: Track[] = [];
  private nextId = 1;
  private updated = -Infinity;

  /** Faces that were seen lately, new ones included. */
  get known(): readonly Track[] {
    return this.tracks;
  }

  /**
   * Takes the boxes of a frame and returns the faces in it, largest first. A new face is returned from
   * the third frame running in which it is found; those of a still picture, or of a frame that comes
   * long after the one before, at once.
   */
  update(boxes: Box[], now: number): Track[] {
    const hits = now - this.updated > FORGET_SECONDS ? LEAST_HITS : 1;
    this.updated = now;
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
      const track = matched.get(box);
      if (!track) return { id: this.nextId++, box, seen: now, hits };
      track.box = box;
      track.seen = now;
      track.hits++;
      return track;
    });
    const waiting = this.tracks.filter(
      (track) => !taken.has(track) && believed(track) && now - track.seen <= FORGET_SECONDS,
    );
    this.tracks = [...visible, ...waiting];
    return visible
      .filter(believed)
      .sort((a, b) => b.box.width * b.box.height - a.box.width * a.box.height);
  }
}

function believed(track: Track): boolean {
  return track.hits >= LEAST_HITS;
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

/** What a face most likely shows; undefined before the first answer. */
export function likeliest(track: Track): { label: string; probability: number } | undefined {
  const { labels, probabilities } = track;
  if (!labels || !probabilities) return undefined;
  const top = argmax(probabilities);
  return { label: labels[top]!, probability: probabilities[top]! };
}

/** Index of the largest value. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
