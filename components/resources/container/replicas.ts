import * as pulumi from "@pulumi/pulumi";
import { replicas } from "../../../engine/names.ts";
import { serviceContainer, type ServiceContainer, type ServiceContainerArgs } from "./service-container.ts";

/** How many containers of a kind there are, and what they are called. */
export interface ReplicaNames {
  readonly count: number;
  /** The first container; the others have "-2" and so on behind it. */
  readonly containerName: string;
  /** Where the first is found on the network; the others likewise. */
  readonly host: string;
  readonly networkName: pulumi.Input<string>;
}

/** One of them, for what differs from one to the other. */
export interface Replica {
  readonly host: string;
  readonly containerName: string;
  readonly isFirst: boolean;
}

export interface Replicas {
  readonly hosts: readonly string[];
  readonly containerNames: readonly pulumi.Output<string>[];
  readonly containerIds: readonly pulumi.Output<string>[];
  /** Known when all of them are ready. */
  readonly allReady: pulumi.Output<unknown>;
}

/** Containers of a kind, made one after the other: while one is replaced, those before and after it serve. */
export function replicaContainers(
  name: string,
  { count, containerName, host, networkName }: ReplicaNames,
  argsOf: (replica: Replica) => Omit<ServiceContainerArgs, "name" | "network">,
  parent: pulumi.Resource,
  dependsOn: readonly pulumi.Resource[] = [],
): Replicas {
  const [names, hosts, containers] = [name, host, containerName].map((each) => replicas(each, count));
  const made: ServiceContainer[] = [];
  for (let i = 0; i < count; i += 1) {
    const own = hosts?.[i] ?? "";
    const ownName = containers?.[i] ?? "";
    const before = made.at(-1);
    made.push(
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
    containerNames: made.map(({ container }) => container.name),
    containerIds: made.map(({ container }) => container.id),
    allReady: pulumi.all(made.map(({ ready }) => ready.id)),
  };
}

/** Of the first, which stands for all where only one is needed. */
export function firstOf(outputs: readonly pulumi.Output<string>[]): pulumi.Output<string> {
  const [first] = outputs;
  if (first === undefined) throw new Error("there has to be one at least");
  return first;
}
