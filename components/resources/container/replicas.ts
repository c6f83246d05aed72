import * as pulumi from "@pulumi/pulumi";
import { replicas } from "../../../engine/names.ts";
import { serviceContainer, type ServiceContainer, type ServiceContainerArgs } from "./service-container.ts";

/** Number and names of replicated containers. */
export interface ReplicaNames {
  readonly count: number;
  /** Name of the first container; the others have the suffix "-2" and so on. */
  readonly containerName: string;
  /** Host name of the first on the network; the others have the same suffixes. */
  readonly host: string;
  readonly networkName: pulumi.Input<string>;
}

/** The properties that differ between replicas. */
export interface Replica {
  readonly host: string;
  readonly containerName: string;
  readonly isFirst: boolean;
}

export interface Replicas {
  readonly hosts: readonly string[];
  readonly containerNames: readonly pulumi.Output<string>[];
  readonly containerIds: readonly pulumi.Output<string>[];
  /** Resolves when all of them are ready. */
  readonly allReady: pulumi.Output<unknown>;
}

/** Declares replicas that depend on each other, so that an update replaces one at a time while the others serve. */
export function replicaContainers(
  name: string,
  { count, containerName, host, networkName }: ReplicaNames,
  argsOf: (replica: Replica) => Omit<ServiceContainerArgs, "name" | "network">,
  parent: pulumi.Resource,
  dependsOn: readonly pulumi.Resource[] = [],
): Replicas {
  const [names, hosts, containers] = [name, host, containerName].map((each) => replicas(each, count));
  const created: ServiceContainer[] = [];
  for (let i = 0; i < count; i += 1) {
    const own = hosts?.[i] ?? "";
    const ownName = containers?.[i] ?? "";
    const before = created.at(-1);
    created.push(
      serviceContainer(
        names?.[i] ?? "",
        {
          ...argsOf({ host: own, containerName: ownName, isFirst: i === 0 }),
          name: ownName,
          network: { name: networkName, aliases: [own] },
        },
        parent,
        before === undefined ? dependsOn : [...dependsOn, before.ready],
      ),
    );
  }
  return {
    hosts: hosts ?? [],
    containerNames: created.map(({ container }) => container.name),
    containerIds: created.map(({ container }) => container.id),
    allReady: pulumi.all(created.map(({ ready }) => ready.id)),
  };
}

/** The first replica's output, for where only one is needed. */
export function firstOf(outputs: readonly pulumi.Output<string>[]): pulumi.Output<string> {
  const [first] = outputs;
  if (first === undefined) throw new Error("at least one replica is required");
  return first;
}
