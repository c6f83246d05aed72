// Asked every few seconds by machines: they would bury what people ask for.
export const PROBES: ReadonlySet<string | undefined> = new Set([
  "/health",
  "/accepting",
  "/ready",
  "/metrics",
  "/v1/health_check",
  "/admin/session",
  "/admin/overview",
  "/admin/events",
  "/admin/history",
  "/admin/requests",
  "/admin/usage",
  "/admin/health",
]);
