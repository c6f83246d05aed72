// Asked every few seconds by machines: they would bury what people ask for.
export const PROBES: ReadonlySet<string | undefined> = new Set([
  "/health",
  "/accepting",
  "/ready",
  "/metrics",
  "/v1/health_check",
]);
