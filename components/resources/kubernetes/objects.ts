import * as pulumi from "@pulumi/pulumi";
import { type ObjectKind, objectTypes, resourceType } from "../../config/kubernetes/cluster-objects.ts";
import type { ParsedConfig } from "../../config/keys.ts";

// The provider without its SDK: any package with a provider that is installed beside the program, the CLI has every
// stack load, and stacks on Docker would download a cluster's. What the SDK adds are types.

/** The provider that Pulumi's CLI downloads, or that toolchain/ builds. */
export const providerVersion = "4.25.0";

/** What the API server gets, without what the class of the object says. */
export interface ObjectArgs {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** An object of the cluster. */
export class ClusterObject extends pulumi.CustomResource {
  declare readonly metadata: pulumi.Output<{ readonly name: string; readonly generation?: number }>;

  constructor(kind: ObjectKind, name: string, args: ObjectArgs, opts: pulumi.CustomResourceOptions) {
    const { apiVersion } = objectTypes[kind];
    const metadata = {
      ...args.metadata,
      annotations: {
        // What somebody changed by hand goes back to what the stack says: without it, the API server calls it a conflict.
        "pulumi.com/patchForce": "true",
        ...(args.metadata["annotations"] as Record<string, string> | undefined),
      },
    };
    super(
      resourceType(kind),
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
}: Pick<ParsedConfig, "kubeconfig" | "kubeContext">): pulumi.ProviderResource {
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
