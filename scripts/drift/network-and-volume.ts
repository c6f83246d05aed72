import { project } from "../../engine/names.ts";
import type { Deployed } from "../stack/deployment.ts";
import { flag, map, shortId } from "./format.ts";
import type { Difference, Repair } from "./difference.ts";
import type { InspectedNetwork, InspectedVolume } from "./docker-objects.ts";

interface NetworkInputs {
  readonly driver?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly ipv6?: boolean;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: readonly Label[];
}

interface VolumeInputs {
  readonly driver?: string;
  readonly driverOpts?: Readonly<Record<string, string>>;
  readonly labels?: readonly Label[];
}

interface Label {
  readonly label: string;
  readonly value: string;
}

/** Networks may share a name; the stack's is identified by its id. `own` are the names of the stack's containers. */
export function compareNetwork(
  network: Deployed,
  named: readonly InspectedNetwork[],
  own: ReadonlySet<string>,
): Difference[] {
  const inputs = network.inputs as NetworkInputs;
  const actual = named.find(({ Id }) => Id === network.id);
  if (actual === undefined) {
    const [other] = named;
    if (other === undefined) return [difference(network, "state", "there", "removed", "refresh")];
    const made = `${shortId(other.Id)}: it was recreated by hand`;
    const repair = [
      ...Object.values(other.Containers ?? {})
        .filter(({ Name }) => own.has(Name))
        .map(({ Name }) => ["network", "disconnect", "--force", other.Id, Name]),
      ["network", "rm", other.Id],
    ];
    return [difference(network, "id", shortId(network.id), made, repair)];
  }
  return [
    ["driver", inputs.driver ?? "bridge", actual.Driver],
    ["internal", flag(inputs.internal), flag(actual.Internal)],
    ["attachable", flag(inputs.attachable), flag(actual.Attachable)],
    ["IPv6", flag(inputs.ipv6), flag(actual.EnableIPv6)],
    ["options", map(inputs.options), map(actual.Options)],
    ["labels", labels(inputs.labels), map(othersLabels(actual.Labels))],
  ]
    .filter(([, expected, found]) => expected !== found)
    .map(([property = "", expected = "", found = ""]) =>
      difference(network, property, expected, found, "replace"),
    );
}

/**
 * A recreated volume may contain data, so it must be removed manually. `stackOption` selects the stack in the advice.
 */
export function compareVolume(
  volume: Deployed,
  actual: InspectedVolume | undefined,
  stackOption: string,
): Difference[] {
  const inputs = volume.inputs as VolumeInputs;
  if (actual === undefined) return [difference(volume, "state", "there", "removed", "refresh")];
  return [
    ["driver", inputs.driver ?? "local", actual.Driver],
    ["options", map(inputs.driverOpts), map(actual.Options)],
    ["labels", labels(inputs.labels), map(othersLabels(actual.Labels))],
  ]
    .filter(([, expected, found]) => expected !== found)
    .map(([property = "", expected = "", found = ""]) =>
      difference(volume, property, expected, found, { byHand: recreationSteps(actual.Name, stackOption) }),
    );
}

/** The containers that mount it must be removed first. */
function recreationSteps(volume: string, stackOption: string): string {
  const containers = `docker rm --force $(docker ps --all --quiet --filter volume=${volume})`;
  return `save what you need from it, then recreate it: ${containers}; docker volume rm ${volume}; npm run up${stackOption}`;
}

function labels(declared: readonly Label[] | undefined): string {
  return map(othersLabels(Object.fromEntries((declared ?? []).map(({ label, value }) => [label, value]))));
}

/** Ignores labels of ownership, which differ for objects from an earlier version or another state. */
function othersLabels(all: Readonly<Record<string, string>> | null): Record<string, string> {
  return Object.fromEntries(Object.entries(all ?? {}).filter(([label]) => !label.startsWith(`${project}.`)));
}

function difference(
  { urn, name, inputs }: Deployed,
  property: string,
  expected: string,
  actual: string,
  repair: Repair,
): Difference {
  return { urn, resource: `${name} (${String(inputs["name"])})`, property, expected, actual, repair };
}
