import { z } from "zod";
import { queryEngine, docker } from "../../engine/docker-cli.ts";
import { containerPattern, networkNameOf } from "../../engine/names.ts";
import type { Deployed } from "../stack/deployment.ts";
import type { Settings } from "../stack/settings.ts";

// The engine does not remove a network with running containers attached. The provider would notice that only after
// everything else has been removed.

const inspected = z.array(
  z.object({ Name: z.string(), Containers: z.record(z.string(), z.object({ Name: z.string() })).nullish() }),
);

/** A container outside the stack, and the stack's network to which it is attached. */
interface Attached {
  readonly network: string;
  readonly container: string;
}

/**
 * Containers outside the stack on the stack's networks for which `leaves` returns true.
 *
 * @param madeByHand ids of manually created networks under one of the stack's names, which are removed too
 */
export async function attachedToLeaving(
  stack: string,
  resources: readonly Deployed[],
  leaves: (network: Deployed) => boolean,
  madeByHand: readonly string[] = [],
): Promise<Attached[]> {
  const nameOf = ({ inputs }: Deployed) => String(inputs["name"]);
  const of = (type: string) => resources.filter((resource) => resource.type === type);
  const own = new Set(of("docker:index/container:Container").map(nameOf));
  const ofStack = new RegExp(containerPattern(stack));
  const leaving = of("docker:index/network:Network").filter(leaves);
  const found = await attachedTo([...leaving.map(({ id }) => id), ...madeByHand], own);
  return found.filter(({ container }) => !ofStack.test(container));
}

/** Containers attached to networks, excluding some. */
export async function attachedTo(networks: readonly string[], own: ReadonlySet<string>): Promise<Attached[]> {
  const found = await Promise.all(networks.map(inspect));
  return found
    .flat()
    .flatMap(({ Name: network, Containers }) =>
      Object.values(Containers ?? {}).map(({ Name: container }) => ({ network, container })),
    )
    .filter(({ container }) => !own.has(container));
}

/** Whether an update replaces a network because its name changes. */
export function isLeaving({ inputs }: Deployed, stack: string, settings: Settings): boolean {
  return inputs["name"] !== networkNameOf(stack, String(settings("networkName")));
}

async function inspect(id: string): Promise<z.output<typeof inspected>> {
  try {
    return inspected.parse(JSON.parse(await queryEngine(["network", "inspect", id])));
  } catch (error) {
    // Somebody removed it.
    if (/no such network|not found/i.test(String(error))) return [];
    throw error;
  }
}

/**
 * Why networks cannot be removed, and what to do; undefined if no container is attached.
 *
 * @param command the npm command that disconnects them, if any
 */
export function attachedProblem(
  attached: readonly Attached[],
  command: string | undefined,
): string | undefined {
  if (attached.length === 0) return undefined;
  const each = attached.map(({ network, container }) => `${container} to ${network}`).join(", ");
  const lines = attached.map(({ network, container }) => `docker network disconnect ${network} ${container}`);
  return (
    `Containers outside the stack are attached to its network, which must be removed: ${each}. ` +
    `Disconnect them (${lines.join("; ")})${command === undefined ? ", and run it again" : `, or run: ${command}`}`
  );
}

/** Disconnects the containers, which keep running. */
export async function disconnectAll(attached: readonly Attached[]): Promise<void> {
  for (const { network, container } of attached) {
    await docker(["network", "disconnect", "--force", network, container]);
    console.error(`Disconnected the container ${container} from the network ${network}.`);
  }
}
