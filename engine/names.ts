// Does not import Pulumi's SDK, because the scripts use these names too.

/** The project's name, as Pulumi.yaml has it. */
export const project = "ollama-stack";

/** Name prefix of the images that toolchain/ builds. */
export const localImages = `${project}/`;

/**
 * The last part of a stack's name, which its config file and its objects contain: "prod" of
 * "organization/ollama-stack/prod", the form that backends with accounts use.
 */
export function shortStackName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}

/** Why a stack name is invalid, or undefined. It becomes part of an image's name. */
export function stackNameProblem(stack: string): string | undefined {
  const name = shortStackName(stack);
  if (/^[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*$/.test(name)) return undefined;
  return (
    `The stack is called ${name}, which Docker does not accept as part of an image's name: it must consist of lower-case letters and digits, ` +
    `with single '.', '_' or '-' between them. Choose a valid name: npm run up -- --stack ${suggestion(name)}`
  );
}

function suggestion(name: string): string {
  const parts = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  return parts?.join("-") ?? "NAME";
}

interface NameSettings {
  readonly networkName: string;
  readonly ollamaReplicas: number;
  readonly gatewayReplicas: number;
}

/** Names of a stack's objects on the engine, unique for each stack. */
export function stackNames(stack: string, { networkName, ollamaReplicas, gatewayReplicas }: NameSettings) {
  const prefix = `${project}-${shortStackName(stack)}`;
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

/** Name of a stack's network: from the config, else derived from the stack's name. */
export function networkNameOf(stack: string, configured: string): string {
  return configured === "" ? `ollama_network_${shortStackName(stack)}` : configured;
}

/** Namespace of a stack on Kubernetes: from the config, else derived from the stack's name. */
export function clusterNamespace(stack: string, configured: string): string {
  const name = shortStackName(stack)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, "-");
  return configured === "" ? clusterName(`${project}-${name}`) : configured;
}

/** Shortens a name to a valid namespace name or label value, which ends in a letter or a digit. */
export function clusterName(name: string): string {
  return name.slice(0, 63).replace(/[-_.]+$/, "");
}

/** Names of replicas. The first has no suffix, so that it keeps its name when replicas are added. */
export function replicas(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}-${String(i + 1)}`));
}

/** The DNS names of containers in a network: with and without the network's name as a suffix. */
export function namesInNetwork(names: readonly string[], network: string): string[] {
  return [...names, ...names.map((name) => `${name}.${network}`)];
}

/** Pattern for an engine's name filter that matches all containers of a stack. */
export function containerPattern(stack: string): string {
  return `^/?${escaped(project)}-${escaped(shortStackName(stack))}-(ollama|gateway|edge|prometheus)(-[0-9]+)?$`;
}

/**
 * Matches what a stack, or any stack, may leave on its engine: containers, volumes, and the tagged image of its gateway. A
 * prefix alone would not distinguish the stacks dev and dev-edge.
 */
export function leftoverPattern(stack: string | undefined): RegExp {
  const kinds =
    "(ollama|gateway|edge|prometheus)(-[0-9]+)?|ollama-models|gateway-keys|edge-data|prometheus-(data|config)|gateway:[0-9a-f]+";
  return new RegExp(
    `^${escaped(project)}-${stack === undefined ? ".+" : escaped(shortStackName(stack))}-(${kinds})$`,
  );
}

/** The stack that a container's name contains; undefined for other names. */
export function stackOfContainer(name: string): string | undefined {
  return new RegExp(`^${escaped(project)}-(.+)-(?:ollama|gateway|edge|prometheus)(?:-[0-9]+)?$`).exec(
    name,
  )?.[1];
}

/** Pattern for an engine's name filter that matches exactly one name. */
export function namePattern(name: string): string {
  return `^${escaped(name)}$`;
}

// Names contain no other special character.
function escaped(name: string): string {
  return name.replaceAll(".", "\\.");
}
