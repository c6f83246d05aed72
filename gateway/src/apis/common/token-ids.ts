import * as z from "zod";
import { type Subject, unsupportedValue } from "../../errors.ts";

const REASON = "token IDs are not supported, as they differ between models. Send text";

/** Token IDs in place of text, which OpenAI accepts; known here for a better error message. */
export const tokenIds = [
  z.array(z.int()).min(1).describe(`Not supported: ${REASON}.`),
  z.array(z.array(z.int())).min(1).describe(`Not supported: ${REASON}.`),
] as const;

/** @throws ApiError `unsupported_parameter` for token IDs */
export function textsIn(
  input: string | readonly (string | number | readonly number[])[],
  param: Subject,
): string[] {
  const texts = typeof input === "string" ? [input] : input;
  // The schema rejects mixtures.
  if (texts.every((each) => typeof each === "string")) return [...texts];
  throw unsupportedValue(param, `${REASON}.`);
}
