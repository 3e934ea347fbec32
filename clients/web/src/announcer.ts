/** How often a screen reader is told a new label at most, in milliseconds. */
const LEAST_INTERVAL = 2000;

/** Tells a live region what changed, without talking without pause. */
export class Announcer {
  private spoken = "";
  private last = -LEAST_INTERVAL;

  constructor(private readonly region: HTMLElement) {}

  /**
   * @param key what has to change for it to be worth telling.
   * @param now in milliseconds.
   */
  announce(key: string, text: string, now: number): void {
    if (key === this.spoken || now - this.last < LEAST_INTERVAL) return;
    this.spoken = key;
    this.last = now;
    this.region.textContent = text;
  }
}
