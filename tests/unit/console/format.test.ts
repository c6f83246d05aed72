import { expect, it } from "vitest";
import {
  formatAge,
  formatBytes,
  formatDuration,
  formatRate,
  formatUntil,
  plural,
} from "../../../console/src/lib/format.ts";

it.each([
  [-5, "0 ms"],
  [0, "0 ms"],
  [3.14159, "3.14 ms"],
  [850.4, "850 ms"],
  [999.6, "1 s"],
  [2400, "2.4 s"],
  [59_940, "59.9 s"],
  [59_960, "1 min"],
  [185_000, "3 min 5 s"],
  [7_800_000, "2 h 10 min"],
  [7_205_000, "2 h"],
  [273_600_000, "3 d 4 h"],
])("%d ms is shown as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

it.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KiB"],
  [1_395_864_371, "1.3 GiB"],
  [300 * 1024 ** 2, "300 MiB"],
  [5 * 1024 ** 5, "5,120 TiB"],
])("%d bytes are shown as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [0.5, "0.5 tokens/s"],
  [42.123, "42.1 tokens/s"],
  [100, "100 tokens/s"],
  [1234.5, "1,235 tokens/s"],
])("%d tokens per second are shown as %s", (rate, text) => {
  expect(formatRate(rate)).toBe(text);
});

it("an age is shown in whole seconds", () => {
  expect([0, 999, 1000, 61_999].map(formatAge)).toEqual(["0 s", "0 s", "1 s", "1 min 1 s"]);
});

it("a future time is shown as the time until it", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  expect(formatUntil("2026-11-28T12:04:10.400Z", now)).toBe("in 4 min 10 s");
  expect(formatUntil("2026-11-28T12:00:00.200Z", now)).toBe("in 1 s");
  expect(formatUntil("2026-11-28T11:59:00Z", now)).toBe("now");
});

it("one is singular, other counts are plural", () => {
  expect([plural(1, "token"), plural(0, "token"), plural(4096, "token")]).toEqual([
    "1 token",
    "0 tokens",
    "4,096 tokens",
  ]);
});
