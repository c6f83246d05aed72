import type { Difference, Repair } from "../difference.ts";
import { isolation } from "./isolation.ts";
import { limits } from "./limits.ts";
import type { ContainerInputs, ImageConfig, Inspected } from "./types.ts";
import { process } from "./process.ts";
import { surroundings } from "./network-and-mounts.ts";
import { list } from "./format.ts";

const properties = [...process, ...surroundings, ...isolation, ...limits];

/** Inputs that are compared by name or not at all: these tell the provider how to go about it. */
const others: readonly (keyof ContainerInputs)[] = [
  "__defaults",
  "name",
  "image",
  "envs",
  "labels",
  "networksAdvanced",
  "mustRun",
  "start",
  "attach",
  "logs",
  "rm",
  "wait",
  "waitTimeout",
  "destroyGraceSeconds",
  "removeVolumes",
  "containerReadRefreshTimeoutMilliseconds",
];

/** Every input of docker.Container of which it is known how it shows on a container. */
export const comparedInputs: ReadonlySet<string> = new Set([
  ...properties.flatMap(({ inputs }) => inputs),
  ...others,
]);

export interface Expected {
  readonly urn: string;
  readonly resource: string;
  readonly id: string;
  readonly inputs: ContainerInputs;
  /** Undefined when the engine no longer has the image: then only what was asked for by name is compared. */
  readonly image: ImageConfig | undefined;
  /** Ids of the networks of the stack, by name. */
  readonly networks: ReadonlyMap<string, string>;
}

/** How a container differs from what the state and its image say. */
export function compareContainer(expected: Expected, actual: Inspected): Difference[] {
  const { urn, resource, id, inputs } = expected;
  const differences: Difference[] = [];
  const compare = (property: string, want: string | undefined, have: string, repair: Repair = "replace") => {
    if (want !== undefined && want !== have)
      differences.push({ urn, resource, property, expected: want, actual: have, repair });
  };
  const own = actual.Id === id;
  compare("id", short(id), own ? short(id) : `${short(actual.Id)}: it was made anew by hand`);
  const name = actual.Name.replace(/^\//, "");
  compare("name", inputs.name, name, "refresh");
  const { Status: status } = actual.State;
  compare(
    "state",
    "running",
    status,
    status === "paused" ? [["container", "unpause", inputs.name]] : "refresh",
  );
  compare("image", short(inputs.image), short(actual.Image));
  const { image = actual.Config } = expected;
  for (const property of properties) {
    compare(
      property.name,
      property.expected(inputs, image),
      property.actual(actual),
      property.inPlace ? "refresh" : "replace",
    );
  }
  for (const [variable, want, have] of different(
    environment([...(image.Env ?? []), ...(inputs.envs ?? [])]),
    environment(actual.Config.Env ?? []),
  )) {
    compare(`environment ${variable}`, ...sparing(variable, want, have));
  }
  const asked = Object.fromEntries((inputs.labels ?? []).map(({ label, value }) => [label, value]));
  for (const [label, want, have] of different(
    new Map(Object.entries({ ...image.Labels, ...asked })),
    new Map(Object.entries(actual.Config.Labels ?? {})),
  )) {
    compare(`label ${label}`, want ?? "not set", have ?? "not set");
  }
  compare("networks", askedNetworks(expected), list(attachedNetworks(expected, actual)));
  if (own) return differences;
  // An update could not make its own beside it, and makes it as soon as it is gone.
  const repair = [["container", "rm", "--force", inputs.name]];
  return differences.map((difference) => ({ ...difference, repair }));
}

/** What differs between two maps: key, value of the first, value of the second. */
function* different(
  want: ReadonlyMap<string, string>,
  have: ReadonlyMap<string, string>,
): Generator<[string, string | undefined, string | undefined]> {
  for (const key of [...new Set([...want.keys(), ...have.keys()])].sort())
    if (want.get(key) !== have.get(key)) yield [key, want.get(key), have.get(key)];
}

function environment(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const equals = line.indexOf("=");
      return equals === -1 ? [line, ""] : [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

/** A variable's values, without what may be a secret: one that the state doesn't know, or that is named like one. */
function sparing(name: string, want: string | undefined, have: string | undefined): [string, string] {
  const hidden = want === undefined || /key|token|secret|passw|passphrase|credential/i.test(name);
  if (!hidden) return [want, have ?? "not set"];
  const told = (value: string | undefined, other: string) =>
    value === undefined ? "not set" : value === "" ? "empty" : other;
  return [told(want, "set (not shown)"), told(have, "set to something else (not shown)")];
}

function askedNetworks({ inputs, networks }: Expected): string {
  const asked = (inputs.networksAdvanced ?? []).map(({ name, aliases, ipv4Address }) =>
    attachment(name, networks.get(name), aliases ?? [], ipv4Address),
  );
  return list(asked);
}

/** The bridge that every container has until it is given another is not worth a word. */
function attachedNetworks(
  { networks, inputs }: Expected,
  { Id, Config, NetworkSettings }: Inspected,
): string[] {
  const own = new Set([Id.slice(0, 12), Config.Hostname, inputs.name]);
  return Object.entries(NetworkSettings.Networks).map(([name, { NetworkID, Aliases, IPAMConfig }]) =>
    attachment(
      name,
      networks.has(name) ? NetworkID : undefined,
      (Aliases ?? []).filter((alias) => !own.has(alias)),
      IPAMConfig?.IPv4Address,
    ),
  );
}

function attachment(
  name: string,
  id: string | undefined,
  aliases: readonly string[],
  address: string | undefined,
): string {
  const parts = [
    id !== undefined && `id ${short(id)}`,
    aliases.length > 0 && `as ${[...aliases].sort().join(" ")}`,
    address !== undefined && address !== "" && `at ${address}`,
  ].filter((part) => part !== false);
  return parts.length === 0 ? name : `${name} (${parts.join(", ")})`;
}

function short(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
