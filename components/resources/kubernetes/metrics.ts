import * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { newMetricsKey } from "../metrics-key.ts";
import { ClusterObject } from "./objects.ts";

const secretName = "gateway-metrics-key";
const secretKey = "key";

/** Reference to the Secret with the key for reading metrics. */
export const metricsKey = { name: secretName, key: secretKey };

/** Whether the stack contains a reader of the gateway's metrics. */
export function readsMetrics({ autoscaling, podMonitor }: ParsedConfig): boolean {
  return podMonitor || autoscaling !== "none";
}

/** Declares a Secret with a key that only grants access to metrics. Returns its digest. */
export function metricsSecret(namespace: string, opts: pulumi.CustomResourceOptions): pulumi.Output<string> {
  const { key, digest } = newMetricsKey();
  new ClusterObject(
    "Secret",
    "gateway-metrics-key",
    { metadata: { name: secretName, namespace }, stringData: { [secretKey]: key } },
    opts,
  );
  return digest;
}

/** Makes the Prometheus operator scrape the gateway's metrics. */
export function podMonitor(
  { prometheusScrapeSeconds }: ParsedConfig,
  namespace: string,
  opts: pulumi.CustomResourceOptions,
): ClusterObject {
  const endpoint = {
    port: "http",
    path: "/metrics",
    interval: `${String(prometheusScrapeSeconds)}s`,
    authorization: { type: "Bearer", credentials: metricsKey },
  };
  return new ClusterObject(
    "PodMonitor",
    "gateway-monitor",
    {
      metadata: { name: "gateway", namespace },
      spec: { selector: { matchLabels: { app: "gateway" } }, podMetricsEndpoints: [endpoint] },
    },
    opts,
  );
}
