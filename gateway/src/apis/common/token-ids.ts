import * as z from "zod";
import { ApiError, type Subject } from "../../errors.ts";

const WHY = "text is taken, not token ids: each model has its own, and Ollama takes none";

/** The forms in which OpenAI takes token ids in place of text; known, so that the error can say what they are. */
export const tokenIds = [
  z.array(z.int()).min(1).describe(`Not supported: ${WHY}.`),
  z.array(z.array(z.int())).min(1).describe(`Not supported: ${WHY}.`),
] as const;

/** @throws ApiError `unsupported_parameter` when they are token ids */
export function textsIn(
  given: string | readonly (string | number | readonly number[])[],
  param: Subject,
): string[] {
  const texts = typeof given === "string" ? [given] : given;
  // The schema takes no mixture.
  if (texts.every((each) => typeof each === "string")) return [...texts];
  throw new ApiError("unsupported_parameter", {
    message: `Unsupported value for '${param}': ${WHY}.`,
    param,
  });
}
