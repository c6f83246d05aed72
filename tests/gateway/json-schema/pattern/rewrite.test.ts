import { expect, test } from "vitest";
import {
  type RewrittenPattern,
  rewritePattern,
} from "../../../../gateway/src/json-schema/pattern/rewrite.ts";
import { patternFaults } from "../../../../test-support/json-schema/grammar-checker.ts";
import { randomly } from "../../../../test-support/random-values.ts";
import { schemaPatterns } from "../../../../test-support/json-schema/schema-patterns.ts";

const rewrite = (pattern: string): RewrittenPattern | undefined => rewritePattern(pattern).rewritten;

/** Converts a rewritten pattern. Literal and escaped characters in a class mean the same in JavaScript. */
function asRegExp(pattern: string): RegExp {
  return new RegExp(
    pattern.replace(/\\U([0-9A-F]{8})/g, (_all, hex: string) => `\\u{${hex}}`),
    "u",
  );
}

/** Returns a string as it is written inside JSON's quotes. */
const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

/** Compiles a pattern as ECMA-262 does, with the flag `u` if that is possible. */
function compileOriginal(pattern: string): RegExp | undefined {
  const written = pattern
    .replace(/\(\?P</g, "(?<")
    .replace(/^\\A/, "^")
    .replace(/\\Z$/, "$");
  for (const flags of ["u", ""]) {
    try {
      return new RegExp(written, flags);
    } catch {
      // Another dialect, or invalid.
    }
  }
  return undefined;
}

test.each(schemaPatterns.map((pattern) => [pattern]))(
  "%s is rewritten so that the converter can read it",
  (pattern) => {
    const rewritten = rewrite(pattern);
    if (rewritten !== undefined) expect(patternFaults(rewritten.pattern)).toEqual([]);
  },
);

test("most patterns that libraries write can be rewritten", () => {
  const rewritten = schemaPatterns.filter((pattern) => rewrite(pattern) !== undefined);
  expect(rewritten.length).toBeGreaterThan(schemaPatterns.length * 0.8);
});

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

test("a rewritten pattern matches everything that the original matches", () => {
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
    const before = compileOriginal(pattern);
    const rewritten = rewrite(pattern);
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
  let rejected = 0;
  for (const pattern of schemaPatterns) {
    const before = compileOriginal(pattern);
    const rewritten = rewrite(pattern);
    if (before?.unicode !== true || rewritten?.exact !== true || pattern.includes("{,")) continue;
    const after = asRegExp(rewritten.pattern);
    for (const text of samples) {
      // Rewritten patterns do not distinguish control characters without a short escape.
      if (before.test(text) || text.includes("\u0001")) continue;
      rejected += 1;
      expect(after.test(inJson(text)), `${pattern} as ${rewritten.pattern}: ${JSON.stringify(text)}`).toBe(
        false,
      );
    }
  }
  expect(rejected).toBeGreaterThan(10_000);
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
])("%s becomes %s, which is equivalent", (pattern, written) => {
  expect(rewrite(pattern)).toMatchObject({ pattern: written, exact: true });
});

test.each([
  ["a lookahead", "^(?=a)[ab]+$", "^[a-b]+$"],
  ["a word boundary", "^\\bword$", "^word$"],
  ["a repetition over the limit of the runner", "^a{3000}$", "^a{2000,}$"],
])("drops %s, and reports that", (_name, pattern, written) => {
  expect(rewrite(pattern)).toMatchObject({ pattern: written, exact: false });
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
])("does not use %s", (pattern) => {
  expect(rewrite(pattern)).toBeUndefined();
});
