/**
 * Normalizes the path of a URL: removes empty segments and trailing slashes, which clients send if their base URL ends
 * in a slash.
 */
export function normalizeUrl(url: string): string {
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  // Leaves absolute-form targets (RFC 9112) unchanged.
  if (!path.startsWith("/")) return url;
  if (!path.includes("//") && (path.length === 1 || !path.endsWith("/"))) return url;
  const normalized = `/${path
    .split("/")
    .filter((segment) => segment !== "")
    .join("/")}`;
  return query === -1 ? normalized : normalized + url.slice(query);
}

/** The path of a URL, also of an absolute-form target, which the router accepts. */
export function pathOf(url: string): string {
  const [target = ""] = url.split("?", 1);
  return target.replace(/^https?:\/\/[^/]*/, "");
}
