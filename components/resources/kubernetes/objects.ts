import * as pulumi from "@pulumi/pulumi";
import { type ObjectKind, objectTypes, resourceType } from "../../config/kubernetes/cluster-objects.ts";
import type { ParsedConfig } from "../../config/keys.ts";

// Uses the Kubernetes provider without its SDK, which only adds types: the CLI loads the provider of every installed SDK for
// every stack, so stacks on Docker would download this one.

/** The provider that Pulumi's CLI downloads, or that toolchain/ builds. */
export const providerVersion = "4.25.0";

/** An object's manifest without apiVersion and kind. */
export interface ObjectArgs {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** An object in the cluster. */
export class ClusterObject extends pulumi.CustomResource {
  declare readonly metadata: pulumi.Output<{
    readonly name: string;
    readonly generation?: number;
    /** Differs from that of any other object that had or gets the name. */
    readonly uid?: string;
    /** Changes whenever the object is written. */
    readonly resourceVersion?: string;
  }>;

  constructor(kind: ObjectKind, name: string, args: ObjectArgs, opts: pulumi.CustomResourceOptions) {
    const { apiVersion } = objectTypes[kind];
    const metadata = {
      ...args.metadata,
      annotations: {
        // Overrides manual changes, which the API server would otherwise reject as conflicts.
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

/** The provider for the configured cluster. */
export function clusterProvider({
  kubeconfig,
  kubeContext,
}: Pick<ParsedConfig, "kubeconfig" | "kubeContext">): pulumi.ProviderResource {
  return new ClusterProvider("cluster", {
    ...(kubeconfig === "" ? {} : { kubeconfig }),
    ...(kubeContext === "" ? {} : { context: kubeContext }),
    enableServerSideApply: "true",
    // Replacing them would also replace their users: Ollama would be deleted before it is created again.
    enableConfigMapMutable: "true",
    enableSecretMutable: "true",
  });
}

class ClusterProvider extends pulumi.ProviderResource {
  constructor(name: string, args: Readonly<Record<string, string>>) {
    super("kubernetes", name, args, { version: providerVersion });
  }
}
