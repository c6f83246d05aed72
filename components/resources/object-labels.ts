import * as pulumi from "@pulumi/pulumi";
import { objectLabels } from "../../engine/labels.ts";

const labelled = ["container", "network", "volume"].map(
  (kind) => `docker:index/${kind}:${kind.charAt(0).toUpperCase()}${kind.slice(1)}`,
);

type Transformed = pulumi.ResourceTransformationResult | undefined;

/**
 * Gives its labels to a container, network or volume. What an earlier version made stays as it is: the provider would
 * replace it for its labels, a volume with its models.
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

/** Labels every container, network and volume that is declared after this, in one place for all. */
export function labelObjects(): void {
  const stack = pulumi.getStack();
  pulumi.runtime.registerStackTransformation((args) => withLabels(stack, args));
}
