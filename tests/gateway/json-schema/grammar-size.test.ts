import { expect, test } from "vitest";
import { z } from "zod";
import { makeSafeCalls } from "../../../gateway/src/json-schema/make-safe.ts";
import { faultsIn } from "../../../test-support/json-schema/grammar-checker.ts";

/** The faults of a schema that requires a call of one of many tools with the same parameters. */
function faultsWith(count: number, parameters: z.ZodObject): string[] {
  const schema = z.toJSONSchema(parameters) as Readonly<Record<string, unknown>>;
  const { schema: calls } = makeSafeCalls(
    Array.from({ length: count }, (_, index) => ({
      name: `operation_${index}`,
      parameters: schema,
      param: `tools[${index}].function.parameters`,
    })),
  );
  return faultsIn(calls);
}

// Tools of real programs whose grammars Ollama writes within its limit of 1 MiB.
test("required properties are charged for what the converter writes", () => {
  const names = Array.from({ length: 20 }, (_, index) => `description_${index}`);
  const parameters = z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
  expect(faultsWith(100, parameters)).toEqual([]);
});

test("values of enums are charged for what the converter writes", () => {
  const parameters = z.object({ timeZone: z.enum(Intl.supportedValuesOf("timeZone")) });
  expect(faultsWith(60, parameters)).toEqual([]);
});
