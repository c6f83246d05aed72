import { expect, test } from "vitest";
import { rewritePattern } from "../../../../gateway/src/json-schema/pattern/rewrite.ts";
import { patternFaults } from "../../../../test-support/json-schema/grammar-checker.ts";
import { randomly } from "../../../../test-support/random-values.ts";
import { schemaPatterns } from "../../../../test-support/json-schema/schema-patterns.ts";

/** As a grammar reads it: what stands for itself in a class, or is escaped there, means the same in JavaScript. */
function asRegExp(pattern: string): RegExp {
  return new RegExp(
    pattern.replace(/\\U([0-9A-F]{8})/g, (_all, hex: string) => `\\u{${hex}}`),
    "u",
  );
}

/** A string as it stands inside JSON's quotes. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** ECMA-262's own reading of a pattern, with the flag `u` where that can read it. */
function original(pattern: string): RegExp | undefined {
  const written = pattern
    .replace(/\(\?P</g, "(?<")
    .replace(/^\\A/, "^")
    .replace(/\\Z$/, "$");
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(written, flags);
    } catch {
      // Of another dialect, or none.
    }
  }
  return undefined;
}

test.each(schemaPatterns.map((pattern) => [pattern]))(
  "%s is written as the converter reads it",
  (pattern) => {
    const rewritten = rewritePattern(pattern);
    if (rewritten !== undefined) expect(patternFaults(rewritten.pattern)).toEqual([]);
  },
);

const FRAGMENTS = [
  "a",
  "b",
  "c",
  "x",
  "0",
  "1",
  "9",
  "25",
  "255",
  "-",
  ".",
  ":",
  "/",
  "@",
  "_",
  "+",
  "=",
  "T",
  "Z",
  "z",
  "P",
  "W",
  "Y",
  "S",
  " ",
  "\n",
  "\t",
  '"',
  "\\",
  "é",
  "日",
  "😀",
  "\u0001",
  "abc",
  "end",
  "2024",
  "-02-29",
  "::",
  "fe80",
  "127.0.0.1",
  "a@b.co",
  "word",
];

test("whatever a pattern matches, the rewritten one matches, too", () => {
  const chance = randomly(1);
  const samples = Array.from({ length: 4000 }, () =>
    Array.from({ length: 1 + Math.floor(chance.number() * 6) }, () => chance.pick(FRAGMENTS)).join(""),
  ).concat(
    "",
    "12345678-1234-4123-8123-123456789abc",
    "2024-02-29T10:00:00Z",
    "aA1aaaaa",
    "P1DT2H",
    "::1",
    "==",
    "AAAA",
    "+491234567",
  );
  let compared = 0;
  for (const pattern of schemaPatterns) {
    const before = original(pattern);
    const rewritten = rewritePattern(pattern);
    if (before === undefined || rewritten === undefined || pattern.includes("{,")) continue;
    const after = asRegExp(rewritten.pattern);
    for (const text of samples) {
      if (!before.test(text)) continue;
      compared += 1;
      expect(after.test(inJson(text)), `${pattern} as ${rewritten.pattern}: ${JSON.stringify(text)}`).toBe(
        true,
      );
    }
  }
  expect(compared).toBeGreaterThan(10_000);
});

test("a pattern that is rewritten exactly matches nothing else", () => {
  const chance = randomly(2);
  const samples = Array.from({ length: 1500 }, () =>
    Array.from({ length: 1 + Math.floor(chance.number() * 5) }, () => chance.pick(FRAGMENTS)).join(""),
  );
  let refused = 0;
  for (const pattern of schemaPatterns) {
    const before = original(pattern);
    const rewritten = rewritePattern(pattern);
    if (before?.unicode !== true || rewritten?.exact !== true || pattern.includes("{,")) continue;
    const after = asRegExp(rewritten.pattern);
    for (const text of samples) {
      // Of control characters without a short escape, one stands for all.
      if (before.test(text) || text.includes("\u0001")) continue;
      refused += 1;
      expect(after.test(inJson(text)), `${pattern} as ${rewritten.pattern}: ${JSON.stringify(text)}`).toBe(
        false,
      );
    }
  }
  expect(refused).toBeGreaterThan(10_000);
});

test.each([
  ["^(?:a|b)$", "^(a|b)$"],
  ["^(?<year>\\d{4})$", "^[0-9]{4}$"],
  ["^(?P<year>\\d{4})$", "^[0-9]{4}$"],
  ["^a\\/b$", "^a/b$"],
  ["^\\w+$", "^[0-9A-Z\\x5Fa-z]+$"],
  ["^a\\.+$", "^a[\\x2E]+$"],
  ["^a}$", "^a[\\x7D]$"],
  ["^(a*)*$", "^(a+)*$"],
  ["^\\u0041[\\u0042]$", "^AB$"],
])("%s becomes %s and means the same", (pattern, written) => {
  expect(rewritePattern(pattern)).toMatchObject({ pattern: written, exact: true });
});

test.each([
  ["a lookahead", "^(?=a)[ab]+$", "^[a-b]+$"],
  ["a word boundary", "^\\bword$", "^word$"],
  ["a repetition over what the runner counts", "^a{3000}$", "^a{2000,}$"],
])("%s is left out, which is told", (_what, pattern, written) => {
  expect(rewritePattern(pattern)).toMatchObject({ pattern: written, exact: false });
});

test.each([
  "^(a",
  "^[z-a]$",
  "^*a(",
  "^[]$",
  "(?i)a",
  "[[:alpha:]]",
  `^${"a?".repeat(300)}$`,
  "x".repeat(5000),
])("%s is not used", (pattern) => {
  expect(rewritePattern(pattern)).toBeUndefined();
});
