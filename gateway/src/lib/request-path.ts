/**
 * The URL of a request with one spelling of its path: without empty segments and without a slash at the end, which a
 * client sends whose base URL ends in one.
 */
export function plainUrl(url: string): string {
  const query = url.indexOf("?");
  const path = query === -1 ? url : url.slice(0, query);
  // A target in absolute form (RFC 9112) stays as it is.
  if (!path.startsWith("/")) return url;
  if (!path.includes("//") && (path.length === 1 || !path.endsWith("/"))) return url;
  const plain = `/${path
    .split("/")
    .filter((segment) => segment !== "")
    .join("/")}`;
  return query === -1 ? plain : plain + url.slice(query);
}
