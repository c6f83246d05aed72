import type { Deployed } from "./deployment.ts";
import { volumesOf } from "./volumes.ts";

type Models = Pick<Deployed, "type" | "name" | "inputs" | "retain">;

/** Fails if a destroy would delete the models of a stack, because its last update did not retain them. */
export function assertModelsKept(stack: string, resources: readonly Deployed[]): void {
  const deleted = deletedWithStack(resources);
  if (deleted.length === 0) return;
  throw new Error(
    `--models keep cannot keep the models of the stack ${stack}: destroy deletes ${deleted.join(", ")}, because its last update was without retainModels. ` +
      `Set retainModels with: npm run pulumi -- config set retainModels true --stack ${stack}, apply it with npm run up -- --stack ${stack}, then destroy it`,
  );
}

/**
 * The volumes and models that a destroy deletes. A single model without `retain` in a kept volume is the choice of the
 * config.
 */
function deletedWithStack(resources: readonly Deployed[]): string[] {
  const volumes = volumesOf(resources).filter(({ name }) => name.endsWith("-models"));
  if (volumes.length > 0)
    return volumes.flatMap(({ retain, volume }) => (retain ? [] : [`the volume ${volume}`]));
  // The volume is not the stack's (modelVolume).
  const models = resources.filter(isModel);
  return models.some(({ retain }) => retain) ? [] : models.map(modelOf);
}

function isModel({ type, name }: Models): boolean {
  return type === "command:local:Command" && name.endsWith("-pull");
}

function modelOf({ name, inputs }: Models): string {
  const environment = inputs["environment"] as Readonly<Record<string, string>> | undefined;
  return `the model ${environment?.["MODEL"] ?? name}`;
}
