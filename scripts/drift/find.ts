import { imageId } from "../../engine/image-id.ts";
import type { Deployed, Deployment } from "../stack/deployment.ts";
import { compareContainer, type ContainerInputs, type InspectedContainer } from "./container.ts";
import type { Difference } from "./difference.ts";
import { compareDrains } from "./drains.ts";
import * as engine from "./docker-objects.ts";
import { compareImage } from "./images.ts";
import { compareKeys } from "./keys.ts";
import { compareModels } from "./models.ts";
import { compareNetwork, compareVolume } from "./network-and-volume.ts";
import { comparePrometheusFiles } from "./prometheus-files.ts";

const types = {
  container: "docker:index/container:Container",
  network: "docker:index/network:Network",
  volume: "docker:index/volume:Volume",
  image: "docker:index/remoteImage:RemoteImage",
  command: "command:local:Command",
} as const;

/** The differences between a stack's state and the engine. */
export interface Drift {
  readonly differences: readonly Difference[];
  /** How many resources were compared. */
  readonly compared: number;
}

/**
 * Compares the state with the engine's objects and the models that Ollama lists. `stackOption` selects the stack in advice
 * for manual repairs.
 */
export async function findDrift({ resources }: Deployment, stackOption: string): Promise<Drift> {
  const of = (type: keyof typeof types) => resources.filter((resource) => resource.type === types[type]);
  const [containers, networks, volumes] = [of("container"), of("network"), of("volume")];
  const [haveContainers, haveNetworks, haveVolumes, imageDifferences] = await Promise.all([
    engine.containers(containers.flatMap(({ id, inputs }) => [id, String(inputs["name"])])),
    engine.networks(networks.map(nameOf)),
    engine.volumes(volumes.map(nameOf)),
    compareImages(of("image")),
  ]);
  const volumeNames = new Set(haveVolumes.map(({ Name }) => Name));
  const networkIds = new Map(networks.map((network) => [nameOf(network), network.id]));
  const differences = [
    ...networks.flatMap((network) =>
      compareNetwork(
        network,
        haveNetworks.filter(({ Name }) => Name === nameOf(network)),
        new Set(containers.map(nameOf)),
      ),
    ),
    ...volumes.flatMap((volume) =>
      compareVolume(
        volume,
        haveVolumes.find(({ Name }) => Name === nameOf(volume)),
        stackOption,
      ),
    ),
    ...imageDifferences,
    ...(await compareKeys(of("command"), volumeNames)),
    ...(await comparePrometheusFiles(of("command"), volumeNames)),
  ];
  for (const container of containers) {
    const inputs = container.inputs as unknown as ContainerInputs;
    const { urn } = container;
    const resource = `${container.name} (${inputs.name})`;
    // The container with the name serves requests; without one, the original may have been renamed.
    const actual =
      haveContainers.find(({ Name }) => Name === `/${inputs.name}`) ??
      haveContainers.find(({ Id }) => Id === container.id);
    if (actual === undefined) {
      differences.push({ ...gone, urn, resource });
      continue;
    }
    differences.push(
      ...compareContainer({ urn, resource, id: container.id, inputs, networks: networkIds }, actual),
      ...compareProcessLimit(inputs.name, of("command"), actual),
    );
  }
  const running = haveContainers.filter(({ State }) => State.Status === "running");
  differences.push(...(await compareDrains(containers, of("command"), running)));
  const stack = resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  if (stack !== undefined) {
    const differing = new Set(
      differences.filter(({ property }) => property === "state").map(({ urn }) => urn),
    );
    const models = {
      stack,
      commands: of("command"),
      silent: containers.some(({ urn }) => differing.has(urn)),
      goneVolumes: new Set(volumes.filter(({ urn }) => differing.has(urn)).map(nameOf)),
    };
    differences.push(...(await compareModels(models)));
  }
  return {
    differences,
    compared: containers.length + networks.length + volumes.length + of("image").length,
  };
}

const gone = { property: "state", expected: "there", actual: "removed", repair: "refresh" } as const;

/** Each image by name and by the id recorded in the update. */
async function compareImages(images: readonly Deployed[]): Promise<Difference[]> {
  const differences = await Promise.all(
    images.map(async (image) => {
      const id = String(image.outputs["imageId"]);
      const [named, deployed] = await Promise.all([imageId(nameOf(image)), imageId(id)]);
      return compareImage(image, named, deployed);
    }),
  );
  return differences.flat();
}

/** Reruns the command that waits for the container, because that sets the limit of processes. */
function compareProcessLimit(
  containerName: string,
  commands: readonly Deployed[],
  { HostConfig }: InspectedContainer,
): Difference[] {
  for (const { urn, name, inputs } of commands) {
    const environment = (inputs["environment"] ?? {}) as Record<string, string>;
    if (environment["CONTAINER_NAME"] !== containerName) continue;
    const expected = environment["PIDS_LIMIT"] ?? "";
    const limit = HostConfig.PidsLimit ?? 0;
    const actual = limit <= 0 ? "unlimited" : String(limit);
    if (expected === "" || expected === actual) continue;
    const resource = `${name} (${containerName})`;
    return [{ urn, resource, property: "processes", expected, actual, repair: "replace" }];
  }
  return [];
}

function nameOf({ inputs }: Deployed): string {
  return String(inputs["name"]);
}
