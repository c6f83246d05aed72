/**
 * Adds a header to those that a response depends on.
 *
 * @param vary value of the `Vary` header so far
 */
export function extendVary(vary: unknown, header: string): string {
  return typeof vary === "string" ? `${vary}, ${header}` : header;
}
