import { expect, test } from "vitest";
import { className, type MessageKey, message } from "./messages";

test("places in a message are filled", () => {
  expect(message("en", "announce", { label: "happy", percent: 87 })).toBe("happy, 87 %");
});

test.each([
  "announce",
  "announceMany",
  "rate",
  "modelBroken",
  "serverGone",
  "privateServer",
] as const)("both languages of %s have the same places", (key: MessageKey) => {
  const places = (text: string) => [...text.matchAll(/<\w+>/g)].map(String).sort();
  const values = Object.fromEntries(
    ["label", "percent", "more", "fps", "ms", "reason", "size", "host"].map((k) => [k, `<${k}>`]),
  );
  expect(places(message("zh", key, values))).toEqual(places(message("en", key, values)));
});

test("a class without a name of its own is called as in the data", () => {
  expect(className("zh", "happy")).toBe("高兴");
  expect(className("zh", "contempt")).toBe("contempt");
});
