import * as pulumi from "@pulumi/pulumi";

interface Counted {
  readonly networkName: string;
  readonly ollamaReplicas: number;
  readonly gatewayReplicas: number;
}

/** What the engine calls the parts of a stack, so that several stacks fit on one engine. */
export function stackNames({ networkName, ollamaReplicas, gatewayReplicas }: Counted) {
  const stack = pulumi.getStack();
  const prefix = `${pulumi.getProject()}-${stack}`;
  const ollama = `${prefix}-ollama`;
  const gateway = `${prefix}-gateway`;
  return {
    network: networkName === "" ? `ollama_network_${stack}` : networkName,
    ollama,
    gateway,
    edge: `${prefix}-edge`,
    ollamas: replicas(ollama, ollamaReplicas),
    gateways: replicas(gateway, gatewayReplicas),
  };
}
export type StackNames = ReturnType<typeof stackNames>;

/** The names of so many of a kind: the first has the plain one, so that it stays what it is when others come. */
export function replicas(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}-${String(i + 1)}`));
}
