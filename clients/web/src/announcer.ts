/** How often a screen reader is told a new label at most, in milliseconds. */
const LEAST_INTERVAL = 2000;

/** Tells a live region what changed, without talking without pause. */
export class Announcer {
  private spoken = "";
  private last = -LEAST_INTERVAL;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly region: HTMLElement) {}

  /**
   * Tells it now or when the pause is over, unless something else is to be told by then.
   *
   * @param key what has to change for it to be worth telling.
   */
  announce(key: string, text: string): void {
    clearTimeout(this.timer);
    if (key === this.spoken) return;
    const pause = this.last + LEAST_INTERVAL - performance.now();
    if (pause <= 0) this.tell(key, text);
    else this.timer = setTimeout(() => this.tell(key, text), pause);
  }

  /** Takes back what was told: what comes is about something else. */
  reset(): void {
    clearTimeout(this.timer);
    this.spoken = "";
    this.region.textContent = "";
  }

  private tell(key: string, text: string): void {
    this.spoken = key;
    this.last = performance.now();
    this.region.textContent = text;
  }
}
