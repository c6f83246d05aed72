/** Lists ignored parameters. */
export const IGNORED_PARAMETERS_HEADER = "x-ignored-parameters";

/** Lists keywords of the client's schema that are not enforced. */
export const IGNORED_KEYWORDS_HEADER = "x-ignored-schema-keywords";

const MAX_LENGTH = 1000;
const REST = ", ...";

/** Formats the value of either header: paths such as `properties.due.pattern`, as many as fit. */
export function ignoredHeader(paths: Iterable<string>): string {
  let value = "";
  for (const path of paths) {
    // Property names are client input; characters invalid in a header are percent-encoded.
    const next = value === "" ? encoded(path) : `${value}, ${encoded(path)}`;
    if (next.length + REST.length > MAX_LENGTH) return value === "" ? "..." : value + REST;
    value = next;
  }
  return value;
}

function encoded(path: string): string {
  // Lone surrogates cannot be encoded.
  return path.toWellFormed().replace(/[^A-Za-z0-9_.$[\]*@:/-]+/gu, encodeURIComponent);
}
