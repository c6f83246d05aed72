import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../config/keys.ts";
import type { StackNames } from "../../engine/names.ts";
import { readOwnState } from "./own-state.ts";
import type { HostPorts } from "./ports/host-ports.ts";

/** The objects on the engine that this stack's state records. */
interface Deployed {
  /** Names of the containers. */
  readonly containers: readonly string[];
  /** Name of the stack's own volume of models. */
  readonly modelVolume: string | undefined;
}

async function readDeployed(): Promise<Deployed> {
  const all = await readOwnState();
  const namesOf = (urn: RegExp) =>
    all.filter(([key]) => urn.test(key)).flatMap(([, outputs]) => outputs["name"] ?? []) as string[];
  return {
    containers: namesOf(/docker:index\/container:Container::/),
    modelVolume: namesOf(/docker:index\/volume:Volume::ollama-models$/)[0],
  };
}

/**
 * Rejects an update if the engine has objects of the stack that its state lacks, or has under the stack's former name.
 * The update would fail on names in use, or delete the models and pull them again.
 */
export async function requireAdopted(
  host: HostPorts,
  names: StackNames,
  { modelVolume }: Pick<StackConfig, "modelVolume">,
): Promise<void> {
  const deployed = await readDeployed();
  const adopt = `npm run adopt -- --stack ${pulumi.getStack()}`;
  const former = deployed.modelVolume;
  if (modelVolume === "" && former !== undefined && former !== `${names.ollama}-models`)
    throw new pulumi.RunError(
      `The stack was renamed to ${pulumi.getStack()}, but its containers and its model volume ${former} have the former name, and an update would pull the models again. ` +
        `Keep them with: ${adopt}; or restore the former name with: pulumi stack rename`,
    );
  if (deployed.containers.length > 0) return;
  const unknown = host.started([...names.ollamas, ...names.gateways, names.edge, names.prometheus]);
  if (unknown.length === 0) return;
  throw new pulumi.RunError(
    `The engine has ${unknown.join(", ")}, which this stack's state does not contain: they belong to another state (of another login or PULUMI_BACKEND_URL, or one that was lost). ` +
      `Use that state, or adopt the containers and models: ${adopt}`,
  );
}
