// Imports parts of prom-client: its index also loads clusters, push gateways and summaries.
export { default as collectDefaultMetrics } from "prom-client/lib/defaultMetrics.js";
export { default as Gauge } from "prom-client/lib/gauge.js";
export { default as Registry } from "prom-client/lib/registry.js";
