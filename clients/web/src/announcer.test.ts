import { expect, test } from "vitest";
import { Announcer } from "./announcer";

test("a label is told once, and the next one two seconds later at the earliest", () => {
  const region = { textContent: "" };
  const announcer = new Announcer(region as HTMLElement);
  announcer.announce("happy", "happy, 80 %", 0);
  announcer.announce("happy", "happy, 81 %", 3000);
  expect(region.textContent).toBe("happy, 80 %");
  announcer.announce("sad", "sad, 60 %", 4000);
  announcer.announce("happy", "happy, 70 %", 5000);
  expect(region.textContent).toBe("sad, 60 %");
});
