import { expect, test } from "vitest";
import { JsonLimitError } from "../../../../gateway/src/lib/json/limits.ts";
import { JsonParser } from "../../../../gateway/src/lib/json/parser.ts";
import { JsonSyntaxError } from "../../../../gateway/src/lib/json/syntax-error.ts";
import { simpleJsonValues } from "../../../../gateway/src/lib/json/scan.ts";
import { jsonPieces } from "../../../../gateway/src/lib/json/pieces.ts";

function parse(text: string, step: number): unknown {
  const bytes = Buffer.from(text);
  const parser = new JsonParser();
  for (let at = 0; at < bytes.length; at += step) parser.push(bytes.subarray(at, at + step));
  return parser.end();
}

const tokens = [
  ...["{", "}", "[", "]", ",", ":"],
  ...['"a"', '"é漢😀"', '"\\n\\u00e9\\ud83d\\ude00"', '"\\\\"', '"a\\"b"', '"\\x"', '"', "\\", "\u0001"],
  ...["0", "-0", "01", "1.", "-", "1.5e3", "12345", "true", "false", "null", "nul", " ", "\n", "\ufeff", "é"],
];

/** A deterministic random generator. */
function seededRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomText(next: (below: number) => number, depth = 0): string {
  const members = (member: () => string): string => Array.from({ length: next(4) }, member).join(",");
  switch (next(depth > 4 ? 2 : 4)) {
    case 0:
      return tokens[6 + next(8)] ?? "0";
    case 1:
      return ["0", "-1.5e-3", "true", "null", "12345", '""'][next(6)] ?? "0";
    case 2:
      return `[${members(() => randomText(next, depth + 1))}]`;
    default:
      return `{ ${members(() => `"${["k", "é", "1", "\\n"][next(4)]}":${randomText(next, depth + 1)}`)}}`;
  }
}

test("parses text in chunks of any length like JSON.parse parses the complete text", () => {
  const next = seededRandom(7);
  let valid = 0;
  for (let n = 0; n < 20_000; n += 1) {
    const text =
      n % 2 === 0
        ? randomText(next)
        : Array.from({ length: 1 + next(7) }, () => tokens[next(tokens.length)]).join("");
    // JSON.parse turns numbers beyond a double's range into infinity.
    if (/e\d{3}/.test(text)) continue;
    let expected: unknown;
    try {
      expected = JSON.parse(text.replace(/^\ufeff/, ""));
    } catch {
      expect(() => parse(text, 1 + next(5)), text).toThrow(JsonSyntaxError);
      continue;
    }
    valid += 1;
    expect(parse(text, 1 + next(5)), text).toStrictEqual(expected);
  }
  expect(valid).toBeGreaterThan(5000);
});

test("preserves the digits of an integer beyond double precision", () => {
  const text = '{"a":[9007199254740993,-9223372036854775808,18446744073709551615],"b":0.1}';
  expect(JSON.stringify(parse(text, 3))).toBe(text);
  expect(JSON.stringify(parse(text, 1000))).toBe(text);
});

test.each([
  ['{"a":1,"b":[{},"c,[",2.5]}', 7],
  ['"text of __prot0__"', 1],
  ["9007199254740993", undefined],
  ["0.1234567890123456789", undefined],
  ["1e5", undefined],
  ['{"__proto__":1}', undefined],
  ['{"\\u005f_proto__":1}', undefined],
  ["[".repeat(129), undefined],
  [`[${"0,".repeat(20_000)}0]`, undefined],
])("counts the values of simple JSON, undefined if it is not simple: %j, %j", (text, values) => {
  expect(simpleJsonValues(text)).toBe(values);
});

test.each([
  ["a key that the parser rejects", `{"${"k".repeat(16_385)}":1}`],
  ["such a key before spaces", `{"${"k".repeat(20_000)}" \n\t:1}`],
  ["a key of fewer characters than bytes", `{"${"漢".repeat(5462)}":1}`],
])("simple JSON does not contain %s", (_kind, text) => {
  expect(() => parse(text, 4096)).toThrow(JsonLimitError);
  expect(simpleJsonValues(text)).toBeUndefined();
});

test("simple JSON contains strings of any length that are not keys", () => {
  const long = "k".repeat(20_000);
  expect(simpleJsonValues(`{"a":"${long}","b":["${long}" , 1]}`)).toBe(5);
});

test("jsonPieces yields the output of JSON.stringify in bounded pieces", async () => {
  const value = {
    text: `${"a\u{1f600}\n".repeat(100_000)}\ud800`,
    none: undefined,
    list: [undefined, null, true, "é", [], {}, [{}], -0, 1e21],
    many: Array.from({ length: 10_000 }, (_, index) => ({ [`k${index}`]: index / 3 })),
    exact: JSON.rawJSON("9007199254740993"),
  };
  const pieces: Buffer[] = [];
  for await (const piece of jsonPieces(value)) pieces.push(piece);
  expect(pieces.length).toBeGreaterThan(3);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(1024 * 1024);
  expect(Buffer.concat(pieces).toString()).toBe(JSON.stringify(value));
});
