import * as pulumi from "@pulumi/pulumi";
import { objectLabels } from "../../engine/labels.ts";

const labelled = ["container", "network", "volume"].map(
  (kind) => `docker:index/${kind}:${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
);

type Transformed = pulumi.ResourceTransformationResult | undefined;

/**
 * Adds labels to a container, network or volume. Existing objects keep theirs, because the provider would replace an object
 * to change its labels, including a volume with its models.
 */
export function withLabels(
  stack: string,
  { type, name, props, opts }: pulumi.ResourceTransformationArgs,
): Transformed {
  if (!labelled.includes(type)) return undefined;
  const [component = ""] = name.split("-", 1);
  const labels = Object.entries(objectLabels(stack, component)).map(([label, value]) => ({ label, value }));
  return { props: { ...props, labels }, opts: pulumi.mergeOptions(opts, { ignoreChanges: ["labels"] }) };
}

/** Labels all containers, networks and volumes declared from now on. */
export function labelObjects(): void {
  const stack = pulumi.getStack();
  pulumi.runtime.registerStackTransformation((args) => withLabels(stack, args));
}
