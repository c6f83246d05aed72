import * as z from "zod";
import { isInt64 } from "../../lib/json/exact-numbers.ts";

/** A 64-bit integer without loss of precision. Beyond 2^53 it is a raw JSON literal, unsuitable for arithmetic. */
export const int64 = z
  .unknown()
  .check(({ value, issues }) => {
    if (isInt64(value)) return;
    if (typeof value === "number" || JSON.isRawJSON(value)) {
      issues.push({ code: "custom", message: "expected an integer from -2^63 to 2^63 - 1", input: value });
    } else issues.push({ code: "invalid_type", expected: "int", input: value });
  })
  .meta({ type: "integer", format: "int64" }) as unknown as z.ZodType<number>;
