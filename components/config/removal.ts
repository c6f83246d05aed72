import type * as z from "zod";

/** Marks a problem of the config that no other value mends: what is set is to be removed. */
export const toRemove = { toRemove: true };

export function isToRemove(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" && issue.params?.["toRemove"] === true;
}
