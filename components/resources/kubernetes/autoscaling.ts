import * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { metricsKey } from "./metrics.ts";
import { ClusterObject } from "./objects.ts";

export interface AutoscalingArgs {
  readonly config: ParsedConfig;
  readonly namespace: string;
  /** The gateway's URL in the cluster. */
  readonly gatewayUrl: pulumi.Input<string>;
}

const target = { apiVersion: "apps/v1", kind: "StatefulSet", name: "ollama" };

const waiting = "gateway_queue_depth";
const running = "gateway_requests_in_flight";

// Scales down slowly, because a removed server loses its loaded models.
const slowScaleDown = {
  scaleDown: {
    stabilizationWindowSeconds: 300,
    policies: [{ type: "Pods", value: 1, periodSeconds: 60 }],
  },
};

/** Scales Ollama's pods by the gateway's waiting and running requests. */
export function autoscaling(args: AutoscalingArgs, opts: pulumi.CustomResourceOptions): void {
  if (args.config.autoscaling === "keda") scaledObject(args, opts);
  else horizontalAutoscaler(args, opts);
}

/** KEDA reads the gateway's metrics directly, without Prometheus, and can scale to zero. */
function scaledObject(
  { config, namespace, gatewayUrl }: AutoscalingArgs,
  opts: pulumi.CustomResourceOptions,
): void {
  const metadata = { name: "ollama", namespace };
  const authentication = new ClusterObject(
    "TriggerAuthentication",
    "ollama-metrics",
    { metadata, spec: { secretTargetRef: [{ parameter: "token", ...metricsKey }] } },
    opts,
  );
  const trigger = (name: string, metric: string) => ({
    type: "metrics-api",
    name,
    metadata: {
      url: pulumi.interpolate`${gatewayUrl}/metrics`,
      format: "prometheus",
      valueLocation: metric,
      targetValue: "1",
      authMode: "bearer",
    },
    authenticationRef: { name: metadata.name },
  });
  new ClusterObject(
    "ScaledObject",
    "ollama-scaling",
    {
      metadata,
      spec: {
        scaleTargetRef: target,
        minReplicaCount: config.ollamaMinReplicas,
        maxReplicaCount: config.ollamaMaxReplicas,
        pollingInterval: 5,
        cooldownPeriod: 300,
        advanced: {
          // Includes running requests, because otherwise a busy server with an empty queue would look idle.
          scalingModifiers: {
            formula: "waiting + running",
            target: String(config.ollamaParallel),
            activationTarget: "0",
            metricType: "AverageValue",
          },
          horizontalPodAutoscalerConfig: { behavior: slowScaleDown },
        },
        triggers: [trigger("waiting", waiting), trigger("running", running)],
      },
    },
    pulumi.mergeOptions(opts, { dependsOn: authentication }),
  );
}

/** Uses metrics from a Prometheus adapter, and scales to the larger result of the two metrics. */
function horizontalAutoscaler(
  { config, namespace }: AutoscalingArgs,
  opts: pulumi.CustomResourceOptions,
): void {
  const metric = (name: string) => ({
    type: "Object",
    object: {
      metric: { name },
      describedObject: { apiVersion: "v1", kind: "Service", name: "gateway" },
      target: { type: "AverageValue", averageValue: String(config.ollamaParallel) },
    },
  });
  new ClusterObject(
    "HorizontalPodAutoscaler",
    "ollama-scaling",
    {
      // The provider would wait for the metrics, which the adapter serves only after the gateway's first request.
      metadata: { name: "ollama", namespace, annotations: { "pulumi.com/skipAwait": "true" } },
      spec: {
        scaleTargetRef: target,
        minReplicas: config.ollamaMinReplicas,
        maxReplicas: config.ollamaMaxReplicas,
        behavior: slowScaleDown,
        metrics: [metric(waiting), metric(running)],
      },
    },
    opts,
  );
}
