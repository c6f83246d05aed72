// Without Pulumi's SDK, for the scripts know things by these names, too.

/** The project's name, as Pulumi.yaml has it. */
export const project = "ollama-stack";

/** How the name of every image begins that toolchain/ makes. */
export const localImages = `${project}/`;

/**
 * The name by which a stack's file and its objects on the engine are called: "prod" of "organization/ollama-stack/prod",
 * as backends with accounts write it.
 */
export function shortStackName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}

/** Why a stack cannot be called so, or undefined: its name is part of the name of an image. */
export function stackNameProblem(stack: string): string | undefined {
  const name = shortStackName(stack);
  if (/^[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*$/.test(name)) return undefined;
  return (
    `The stack is called ${name}, which Docker does not take as part of an image's name: it must be lower-case letters and digits, ` +
    `with single '.', '_' or '-' between them. Choose such a name: npm run up -- --stack ${suggestion(name)}`
  );
}

function suggestion(name: string): string {
  const parts = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  return parts?.join("-") ?? "NAME";
}

interface Counted {
  readonly networkName: string;
  readonly ollamaReplicas: number;
  readonly gatewayReplicas: number;
}

/** What the engine calls the parts of a stack, so that several stacks fit on one engine. */
export function stackNames(stack: string, { networkName, ollamaReplicas, gatewayReplicas }: Counted) {
  const prefix = `${project}-${stack}`;
  const ollama = `${prefix}-ollama`;
  const gateway = `${prefix}-gateway`;
  return {
    network: networkNameOf(stack, networkName),
    ollama,
    gateway,
    edge: `${prefix}-edge`,
    prometheus: `${prefix}-prometheus`,
    ollamas: replicas(ollama, ollamaReplicas),
    gateways: replicas(gateway, gatewayReplicas),
  };
}
export type StackNames = ReturnType<typeof stackNames>;

/** What a stack's network is called: as the config says, or after the stack where that leaves it empty. */
export function networkNameOf(stack: string, configured: string): string {
  return configured === "" ? `ollama_network_${shortStackName(stack)}` : configured;
}

/** The namespace of a stack on Kubernetes: as the config says, or after the stack where that leaves it empty. */
export function clusterNamespace(stack: string, configured: string): string {
  const name = shortStackName(stack)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-");
  return configured === "" ? clusterName(`${project}-${name}`) : configured;
}

/** What of a name a cluster takes as the name of a namespace or the value of a label, which end in a letter or a digit. */
export function clusterName(name: string): string {
  return name.slice(0, 63).replace(/[-_.]+$/, "");
}

/** The names of so many of a kind: the first has the plain one, so that it stays what it is when others come. */
export function replicas(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}-${String(i + 1)}`));
}

/** What names are found by in a network: as they are, and with the network's name behind them. */
export function namesInNetwork(names: readonly string[], network: string): string[] {
  return [...names, ...names.map((name) => `${name}.${network}`)];
}

/** What an engine's filter takes for the names of a stack's containers, every replica included. */
export function containerPattern(stack: string): string {
  return `^/?${escaped(project)}-${escaped(shortStackName(stack))}-(ollama|gateway|edge|prometheus)(-[0-9]+)?$`;
}

/**
 * What a stack, or any one, may leave on its engine: containers, volumes, and the image of its gateway with its tag. Not
 * by the beginning alone: dev-edge's are not dev's.
 */
export function leftoverPattern(stack: string | undefined): RegExp {
  const kinds =
    "(ollama|gateway|edge|prometheus)(-[0-9]+)?|ollama-models|gateway-keys|edge-data|prometheus-(data|config)|gateway:[0-9a-f]+";
  return new RegExp(
    `^${escaped(project)}-${stack === undefined ? ".+" : escaped(shortStackName(stack))}-(${kinds})$`,
  );
}

/** What an engine's filter takes for a name, and no name that has it in it. */
export function namePattern(name: string): string {
  return `^${escaped(name)}$`;
}

// Names have no other character that means something in a pattern.
function escaped(name: string): string {
  return name.replaceAll(".", "\\.");
}
