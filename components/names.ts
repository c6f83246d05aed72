import * as pulumi from "@pulumi/pulumi";

/** What the engine calls the parts of a stack, so that several stacks fit on one engine. */
export function stackNames({ networkName }: { readonly networkName: string }) {
  const stack = pulumi.getStack();
  const prefix = `${pulumi.getProject()}-${stack}`;
  return {
    network: networkName === "" ? `ollama_network_${stack}` : networkName,
    ollama: `${prefix}-ollama`,
    gateway: `${prefix}-gateway`,
  };
}
export type StackNames = ReturnType<typeof stackNames>;
