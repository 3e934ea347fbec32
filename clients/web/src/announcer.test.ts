import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Announcer } from "./announcer";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function scene() {
  const region = { textContent: "" };
  return { region, announcer: new Announcer(region as HTMLElement) };
}

test("a label is told once, and the next one two seconds later at the earliest", () => {
  const { region, announcer } = scene();
  announcer.announce("happy", "happy, 80 %");
  vi.advanceTimersByTime(3000);
  announcer.announce("happy", "happy, 81 %");
  expect(region.textContent).toBe("happy, 80 %");
  announcer.announce("sad", "sad, 60 %");
  vi.advanceTimersByTime(1000);
  announcer.announce("happy", "happy, 70 %");
  expect(region.textContent).toBe("sad, 60 %");
});

test("what comes too soon is told when two seconds are over, though nothing comes after it", () => {
  const { region, announcer } = scene();
  announcer.announce("happy", "happy, 80 %");
  vi.advanceTimersByTime(500);
  announcer.announce("sad", "sad, 60 %");
  vi.advanceTimersByTime(1499);
  expect(region.textContent).toBe("happy, 80 %");
  vi.advanceTimersByTime(1);
  expect(region.textContent).toBe("sad, 60 %");
});

test("what is out of date by then is not told", () => {
  const { region, announcer } = scene();
  announcer.announce("happy", "happy, 80 %");
  announcer.announce("sad", "sad, 60 %");
  announcer.announce("fear", "fear, 50 %");
  vi.advanceTimersByTime(2000);
  expect(region.textContent).toBe("fear, 50 %");
  announcer.announce("sad", "sad, 60 %");
  announcer.announce("fear", "fear, 51 %");
  vi.advanceTimersByTime(2000);
  expect(region.textContent).toBe("fear, 50 %");
});

test("the same label is told again of something else, of which alone it is", () => {
  const { region, announcer } = scene();
  announcer.announce("happy", "happy, 80 %");
  announcer.announce("sad", "sad, 60 %");
  announcer.reset();
  // Emptied, since the same words as before would be no change that is read.
  expect(region.textContent).toBe("");
  announcer.announce("happy", "happy, 80 %");
  vi.advanceTimersByTime(2000);
  expect(region.textContent).toBe("happy, 80 %");
});
