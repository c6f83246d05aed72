/**
 * The names that a key's `routes` may use for several routes. Every route that needs a key is in one of them.
 */
export const ROUTE_GROUPS = {
  /** Generating text. */
  generate: [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/responses/:id",
    "/v1/responses/:id/input_items",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/example-service",
    "/v1/chatqna",
    "/api/chat",
    "/api/generate",
  ],
  embed: ["/v1/embeddings", "/api/embed", "/api/embeddings"],
  /** Reading what there is. */
  read: [
    "/",
    "/openapi.json",
    "/v1/models",
    "/v1/models/*",
    "/api/tags",
    "/api/ps",
    "/api/show",
    "/api/version",
  ],
  metrics: ["/metrics", "/v1/statistics"],
  /** Seeing what goes on, and cancelling requests. */
  console: [
    "/admin/session",
    "/admin/overview",
    "/admin/events",
    "/admin/history",
    "/admin/requests",
    "/admin/requests/:id/cancel",
    "/admin/usage",
    "/admin/health",
  ],
  /** Changing the server; such a key needs the admin flag, too. */
  change: ["/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs/:digest"],
} as const satisfies Record<string, readonly string[]>;

type RouteGroup = keyof typeof ROUTE_GROUPS;

const allRoutes: readonly string[] = Object.values(ROUTE_GROUPS).flat();

/** Whether a text may be among a key's `routes`: the name of a group, or a pattern that allows a route at least. */
export function isRoutePattern(text: string): boolean {
  return isGroup(text) || allRoutes.some((route) => matches(text, route));
}

/**
 * Whether one of the patterns allows a route.
 *
 * @param route the pattern that the route is registered under, not the path of a request: that has several spellings
 */
export function allowsRoute(patterns: readonly string[], route: string): boolean {
  return patterns.some((pattern) =>
    isGroup(pattern) ? (ROUTE_GROUPS[pattern] as readonly string[]).includes(route) : matches(pattern, route),
  );
}

function isGroup(text: string): text is RouteGroup {
  return Object.hasOwn(ROUTE_GROUPS, text);
}

function matches(pattern: string, route: string): boolean {
  return pattern.endsWith("*") ? route.startsWith(pattern.slice(0, -1)) : route === pattern;
}
