import * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { newMetricsKey } from "../metrics-key.ts";
import { ClusterObject } from "./objects.ts";

const secretName = "gateway-metrics-key";
const secretKey = "key";

/** Where a key to read the metrics with is, for what has to have one. */
export const metricsKey = { name: secretName, key: secretKey };

/** Whether anything of the stack reads the gateway's metrics. */
export function readsMetrics({ autoscaling, podMonitor }: ParsedConfig): boolean {
  return podMonitor || autoscaling !== "none";
}

/** A key that reads metrics and nothing else, in a Secret. Returns its digest. */
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

/** Has a Prometheus whose operator looks for monitors read the gateway's metrics. */
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
