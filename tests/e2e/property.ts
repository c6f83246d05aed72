import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import type { Deployment } from "../../scripts/stack/deployment.ts";

// The type of the table of config keys, and functions that read the effect of a key from the engine or the state.

/** The effects that a change of a key can have, each with the wording that the key's description must contain. */
export const effects = {
  "in place": /Changed in place|another address of the same engine is fine/,
  "replaces Ollama": /A change replaces the container/,
  "replaces Ollama's image": /A change replaces the container; the models stay/,
  "replaces the gateway":
    /A change (replaces the container|of the number adds or removes containers and replaces the gateway's container|of names, order or keepLoaded replaces the gateway's container)/,
  "rebuilds the gateway": /A change rebuilds the image and replaces the container/,
  "replaces both": /A change replaces both containers/,
  "replaces all images": /A change replaces the images and the containers/,
  "replaces all containers": /A change of the path or the content replaces the containers/,
  "replaces the network": /A change replaces the network and the containers/,
  "replaces the edge": /A change replaces (the edge|the container; with an edge, only the edge)/,
  "replaces the edge alone where there are keys":
    /A change replaces the edge; without keys, or with gatewayAllowedHosts/,
  "replaces the edge's image": /A change replaces the edge; certificates and configuration stay/,
  nothing: /Changes nothing that runs/,
  "nothing on Docker": /^Only for engine kubernetes/,
  "another engine": /To move a stack, destroy it first/,
} as const;
export type Effect = keyof typeof effects;

export interface Property {
  /** A value that differs from the configured one. */
  readonly value: (configured: unknown) => unknown;
  readonly effect: Effect;
  /** Values of other keys that the value requires. */
  readonly requires?: Readonly<Record<string, unknown>>;
  /** The changed properties of the engine's objects or of commands that prove the effect in a preview of several keys. */
  readonly changes?: readonly string[];
  /** The error of config validation for this value, if the test's stack cannot use it. */
  readonly error?: RegExp;
  /** The test of the error for this value, if the test's stack cannot use it for another reason. */
  readonly testedIn?: string;
  /** Reads the key's current effect from the engine or the state. */
  readonly actual?: (deployment: Deployment) => unknown;
  /** The effect that a value must have. */
  readonly expected?: (value: never) => unknown;
}

export const stack = "props";

/** The name of an image that these tests build from one of the stack's. */
export const otherImage = (reference: unknown) =>
  `other-${stack}/${String(reference).replace(/[:/]/g, "-")}:1`;

export const environment = (container: string, name: string) => () =>
  (inspect(container, ".Config.Env") as string[])
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1);
export const host =
  (container: string, ...names: string[]) =>
  () => {
    const all = inspect(container, ".HostConfig") as Record<string, unknown>;
    return names.map((name) => all[name]);
  };
/** For each published port, the container's port, or the host's port or address. */
export const published = (container: string, which: "Port" | "HostIp" | "HostPort") => () =>
  Object.entries(
    inspect(container, ".HostConfig.PortBindings") as Record<string, Record<string, string>[]>,
  ).map(([own, [first]]) => (which === "Port" ? own : first?.[which]));
export const image = (container: string) => String(inspect(container, ".Image"));
export const imageOf = (reference: string) => docker("image", "inspect", "--format", "{{.Id}}", reference);
export const layersOf = (reference: string) =>
  JSON.parse(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", reference)) as string[];
export const commands = (name: RegExp, variable: string) => (deployment: Deployment) => [
  ...new Set(
    deployment.resources
      .filter((resource) => name.test(resource.name))
      .map(({ inputs }) => (inputs["environment"] as Record<string, unknown>)[variable]),
  ),
];

export const containersOf =
  (name: RegExp) =>
  ({ resources }: Deployment) =>
    resources.filter((resource) => name.test(resource.name)).length;

export const memory = (mib: number) => [mib * 1024 * 1024, mib * 1024 * 1024];
export const quota = (cpus: string) => (cpus === "" ? [0, 0] : [Number(cpus) * 100_000, 100_000]);
export const list = (value: unknown) => [value];
export const text = (value: unknown) => String(value);
