import type * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { ClusterObject } from "./objects.ts";

// A gateway uses one thread. The headroom covers the seconds that an additional gateway needs to start.
const busyMillicores = 600;
const busyShare = 0.7;

/** The average CPU usage per gateway above which another one is added. */
function targetMillicores({ gatewayCpus }: ParsedConfig): number {
  const limit = gatewayCpus === "" ? Infinity : Number(gatewayCpus) * 1000;
  return Math.max(1, Math.min(busyMillicores, Math.round(limit * busyShare)));
}

/** Scales the gateways by their CPU usage, as measured by metrics-server. */
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
            // A removed gateway finishes its requests first.
            policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
          },
        },
        metrics: [
          {
            type: "Resource",
            // Not a share of the pod's request, which is unrelated to a gateway's capacity.
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
