import type * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { ClusterObject } from "./objects.ts";

// A gateway works on one thread. Its successor needs some seconds to start, in which the others have its share.
const busyMillicores = 600;
const busyShare = 0.7;

/** How much processor time gateways have on average before another one comes. */
function targetMillicores({ gatewayCpus }: ParsedConfig): number {
  const limit = gatewayCpus === "" ? Infinity : Number(gatewayCpus) * 1000;
  return Math.max(1, Math.min(busyMillicores, Math.round(limit * busyShare)));
}

/** Changes the number of gateways with their processor time, which metrics-server measures. */
export function gatewayAutoscaler(
  config: ParsedConfig,
  namespace: string,
  opts: pulumi.CustomResourceOptions,
): void {
  new ClusterObject(
    "HorizontalPodAutoscaler",
    "gateway-scaling",
    {
      // The provider would wait for the first measurement.
      metadata: { name: "gateway", namespace, annotations: { "pulumi.com/skipAwait": "true" } },
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "gateway" },
        minReplicas: config.gatewayReplicas,
        maxReplicas: config.gatewayMaxReplicas,
        behavior: {
          scaleDown: {
            stabilizationWindowSeconds: 300,
            // One that goes finishes its requests first.
            policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
          },
        },
        metrics: [
          {
            type: "Resource",
            // Not a share of what a pod requests, which says nothing of what a gateway can do.
            resource: {
              name: "cpu",
              target: { type: "AverageValue", averageValue: `${String(targetMillicores(config))}m` },
            },
          },
        ],
      },
    },
    opts,
  );
}
