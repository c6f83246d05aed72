import * as pulumi from "@pulumi/pulumi";
import { isChosen } from "./port-choice.ts";

interface Outputs {
  readonly outputs: Readonly<Record<string, unknown>>;
}

/**
 * The port that the last update of this stack chose, from its outputs, so that a removed container comes back at the same
 * port. Empty if there was no update, or the port was configured.
 */
export async function deployedPorts(output: "ollamaUrl" | "gatewayUrl" | "prometheusUrl"): Promise<number[]> {
  const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  // Like a StackReference, but without adding a resource to the state.
  const { outputs } = (await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name })) as Outputs;
  const url = outputs[output];
  if (typeof url !== "string") return [];
  const port = Number(new URL(url).port);
  return isChosen(port) ? [port] : [];
}
