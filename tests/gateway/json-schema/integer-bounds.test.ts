import { describe, expect, test } from "vitest";
import { z } from "zod";
import { chooseTools } from "../../../gateway/src/apis/common/tool-choice.ts";
import { makeSafe } from "../../../gateway/src/json-schema/make-safe.ts";
import { faultsIn } from "../../../test-support/json-schema/grammar-checker.ts";

type Schema = Readonly<Record<string, unknown>>;

/** The parameters of a tool that a program declares with Zod, with the bounds of its `int` in each. */
const parameters = z.toJSONSchema(
  z.object({
    query: z.string().min(1).max(2000),
    page: z.int().min(1).default(1),
    pageSize: z.int().min(1).max(1000),
    offset: z.int().min(0).optional(),
    issue: z.int(),
    milestone: z.int().positive().nullable(),
    priorities: z.array(z.int().min(0)).max(100),
    filter: z.object({ since: z.int(), until: z.int(), kind: z.enum(["open", "closed"]) }),
    labels: z.record(z.string(), z.int()),
  }),
) as Schema;

test("a hundred tools with integers of Zod can be required, and be one format", () => {
  const tools = Array.from({ length: 100 }, (_, index) => ({
    type: "function" as const,
    function: { name: `tracker_operation_${index}`, parameters },
  }));
  const chosen = chooseTools(
    tools.map((tool, index) => ({ tool, param: `tools[${index}].function.parameters` })),
    "required",
    true,
  );
  expect(faultsIn(chosen.format as Schema)).toEqual([]);
  const names = tools.map(({ function: { name } }) => name);
  const format = { type: "object", properties: Object.fromEntries(names.map((name) => [name, parameters])) };
  expect(faultsIn(makeSafe(format, "response_format").schema)).toEqual([]);
});

const MAX = Number.MAX_SAFE_INTEGER;
const INT64 = {
  minimum: JSON.rawJSON("-9223372036854775808"),
  maximum: JSON.rawJSON("9223372036854775807"),
};

describe("integers get the bounds that the converter writes correctly and briefly:", () => {
  test.each<[string, Schema, Schema]>([
    ["those of JavaScript are dropped", { minimum: -MAX, maximum: MAX }, {}],
    ["those of 64 bits are dropped", INT64, {}],
    ["a large maximum is dropped", { minimum: 0, maximum: MAX }, { minimum: 0 }],
    ["a large minimum is dropped", { minimum: -MAX, maximum: 5 }, { maximum: 5 }],
    ["an exclusive minimum counts", { exclusiveMinimum: 0, maximum: MAX }, { minimum: 1 }],
    ["small ones are kept", { minimum: -5, maximum: 5 }, { minimum: -5, maximum: 5 }],
    [
      "those of 32 bits are kept",
      { minimum: -2147483648, maximum: 2147483647 },
      { minimum: -2147483648, maximum: 2147483647 },
    ],
    // Alone, the converter would write 110 as "not 1000 to 1099".
    ["a minimum of three digits gets a maximum", { minimum: 110 }, { minimum: 110, maximum: 1e16 - 2 }],
    [
      "a minimum of three digits has a larger maximum",
      { minimum: 110, maximum: MAX },
      { minimum: 110, maximum: 1e16 - 2 },
    ],
    // Alone, the converter would allow -01.
    ["a negative maximum gets a minimum", { maximum: -1 }, { minimum: 2 - 1e16, maximum: -1 }],
    [
      "a large one may be the only value",
      { minimum: MAX, maximum: MAX },
      { minimum: MAX, maximum: 1e16 - 2 },
    ],
  ])("%s", (_name, bounds, written) => {
    expect(makeSafe({ type: "integer", ...bounds }, "format")).toEqual({
      schema: { type: "integer", ...written },
      ignored: [],
    });
  });

  test("a bound beyond what JavaScript can distinguish is ignored if it excludes useful values", () => {
    const { schema, ignored } = makeSafe({ type: "integer", minimum: 1e17 }, "format");
    expect(schema).toEqual({ type: "integer" });
    expect(ignored).toEqual(["minimum"]);
  });

  test("further expensive ones are ignored, except that an integer is not negative", () => {
    const uint32 = { type: "integer", minimum: 0, maximum: 4_294_967_295 };
    const items = Array.from({ length: 1000 }, () => uint32);
    const { schema, ignored } = makeSafe({ type: "array", prefixItems: items }, "format");
    const written = schema["prefixItems"] as readonly Schema[];
    expect(written.at(0)).toEqual(uint32);
    expect(written.at(-1)).toEqual({ type: "integer", minimum: 0 });
    expect(ignored.length).toBeGreaterThan(0);
    expect(ignored.every((path) => path.endsWith(".maximum"))).toBe(true);
  });
});
