/** Route groups that a key's `routes` may name. Every route that needs a key is in exactly one of them. */
export const ROUTE_GROUPS = {
  /** Generation. */
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
  /** Reading models and versions. */
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
  /** Monitoring and cancelling requests. */
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
  /** Modifying the server; also needs the admin flag. */
  change: ["/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete", "/api/blobs/:digest"],
} as const satisfies Record<string, readonly string[]>;

type RouteGroup = keyof typeof ROUTE_GROUPS;

const allRoutes: readonly string[] = Object.values(ROUTE_GROUPS).flat();

/** Whether a text is valid in a key's `routes`: a group, or a pattern that matches a route. */
export function isRoutePattern(text: string): boolean {
  return isGroup(text) || allRoutes.some((route) => matches(text, route));
}

/**
 * Whether a pattern allows the route.
 *
 * @param route the registered pattern, not the path of the request, which has several spellings
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
