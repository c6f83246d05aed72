/** Names the parameters that were left out. */
export const IGNORED_PARAMETERS_HEADER = "x-ignored-parameters";

/** Names the keywords of a client's schema that the response is not held to. */
export const IGNORED_KEYWORDS_HEADER = "x-ignored-schema-keywords";

const MAX_LENGTH = 1000;
const REST = ", ...";

/** The value of either header: paths as in `properties.due.pattern`, as many as fit. */
export function ignoredHeader(paths: Iterable<string>): string {
  let value = "";
  for (const path of paths) {
    // Names of properties are the client's: whatever a header cannot have is percent-encoded.
    const next = value === "" ? encoded(path) : `${value}, ${encoded(path)}`;
    if (next.length + REST.length > MAX_LENGTH) return value === "" ? "..." : value + REST;
    value = next;
  }
  return value;
}

function encoded(path: string): string {
  // Of half a character there is no encoding.
  return path.toWellFormed().replace(/[^A-Za-z0-9_.$[\]*@:/-]+/gu, encodeURIComponent);
}
