// Polled every few seconds by machines; logging them would bury everything else.
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
