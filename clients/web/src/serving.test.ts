import { expect, test } from "vitest";
import { Backoff } from "./serving";

test("a server that fails is asked again after 1, 2, 4, 8 and 8 seconds", () => {
  const backoff = new Backoff();
  let now = 0;
  for (const pause of [1, 2, 4, 8, 8]) {
    backoff.failed(now);
    expect(backoff.ready(now + pause - 0.01)).toBe(false);
    now += pause;
    expect(backoff.ready(now)).toBe(true);
  }
  backoff.succeeded();
  expect(backoff.ready(now)).toBe(true);
});
