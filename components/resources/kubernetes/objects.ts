import * as pulumi from "@pulumi/pulumi";
import type { GivenConfig } from "../../config/keys.ts";

// The provider without its SDK: any package with a provider that is installed beside the program, the CLI has every
// stack load, and stacks on Docker would download a cluster's. What the SDK adds are types.

/** The provider that Pulumi's CLI downloads, or that toolchain/ builds. */
export const providerVersion = "4.25.0";

/** What the API server gets, without what the class of the object says. */
export interface ObjectArgs {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

const groups = {
  Namespace: "v1",
  ConfigMap: "v1",
  Secret: "v1",
  Service: "v1",
  StatefulSet: "apps/v1",
  Deployment: "apps/v1",
  PodDisruptionBudget: "policy/v1",
  NetworkPolicy: "networking.k8s.io/v1",
  Ingress: "networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  HorizontalPodAutoscaler: "autoscaling/v2",
  ScaledObject: "keda.sh/v1alpha1",
  TriggerAuthentication: "keda.sh/v1alpha1",
  PodMonitor: "monitoring.coreos.com/v1",
} as const;
export type ObjectKind = keyof typeof groups;

/** An object of the cluster. */
export class ClusterObject extends pulumi.CustomResource {
  declare readonly metadata: pulumi.Output<{ readonly name: string; readonly generation?: number }>;

  constructor(kind: ObjectKind, name: string, args: ObjectArgs, opts: pulumi.CustomResourceOptions) {
    const apiVersion = groups[kind];
    const metadata = {
      ...args.metadata,
      annotations: {
        // What somebody changed by hand goes back to what the stack says: without it, the API server calls it a conflict.
        "pulumi.com/patchForce": "true",
        ...(args.metadata["annotations"] as Record<string, string> | undefined),
      },
    };
    super(
      `kubernetes:${apiVersion === "v1" ? "core/v1" : apiVersion}:${kind}`,
      name,
      { ...args, metadata, apiVersion, kind },
      pulumi.mergeOptions(
        {
          version: providerVersion,
          ...(kind === "Secret" ? { additionalSecretOutputs: ["stringData", "data"] } : {}),
        },
        opts,
      ),
    );
  }
}

/** The cluster that the config names. */
export function clusterProvider({
  kubeconfig,
  kubeContext,
}: Pick<GivenConfig, "kubeconfig" | "kubeContext">): pulumi.ProviderResource {
  return new ClusterProvider("cluster", {
    ...(kubeconfig === "" ? {} : { kubeconfig }),
    ...(kubeContext === "" ? {} : { context: kubeContext }),
    enableServerSideApply: "true",
    // Replaced, they would take what uses them with them: Ollama would be deleted before it is made again.
    enableConfigMapMutable: "true",
    enableSecretMutable: "true",
  });
}

class ClusterProvider extends pulumi.ProviderResource {
  constructor(name: string, args: Readonly<Record<string, string>>) {
    super("kubernetes", name, args, { version: providerVersion });
  }
}
