import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

// Two files run at a time on one engine, so no two may use the same host port or stack name.
const files = globSync("tests/e2e/*.ts").map((file) => ({ file, text: readFileSync(file, "utf8") }));

/** Matches that occur in more than one file, with the names of these files. */
function shared(pattern: RegExp): string[] {
  const owners = new Map<string, Set<string>>();
  for (const { file, text } of files)
    for (const [, found = ""] of text.matchAll(pattern))
      owners.set(found, (owners.get(found) ?? new Set()).add(file));
  expect(owners.size).toBeGreaterThan(15);
  return [...owners].flatMap(([found, names]) =>
    names.size > 1 ? [`${found}: ${[...names].join(", ")}`] : [],
  );
}

it.each([
  ["host port", /\b(18\d{3})\b/g],
  ["stack name", /\bstack: "([\w-]+)"/g],
])("no two end-to-end tests use the same %s", (_what, pattern) => {
  expect(shared(pattern)).toEqual([]);
});
