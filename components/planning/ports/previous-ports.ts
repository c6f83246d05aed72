import * as pulumi from "@pulumi/pulumi";
import { isChosen } from "./port-choice.ts";

interface Outputs {
  readonly outputs: Readonly<Record<string, unknown>>;
}

/**
 * The port that the last update of this stack chose, as its outputs tell: when somebody removed the container, it comes
 * back where clients look for it. None when there was no update, or the port was not chosen.
 */
export async function deployedPorts(output: "ollamaUrl" | "gatewayUrl" | "prometheusUrl"): Promise<number[]> {
  const name = [pulumi.getOrganization(), pulumi.getProject(), pulumi.getStack()].join("/");
  // What a reference from another stack reads, too; without its resource in the state.
  const { outputs } = (await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name })) as Outputs;
  const url = outputs[output];
  if (typeof url !== "string") return [];
  const port = Number(new URL(url).port);
  return isChosen(port) ? [port] : [];
}
