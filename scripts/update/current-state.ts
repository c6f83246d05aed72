import { type Deployment, readDeployment } from "../stack/deployment.ts";

/**
 * Rejects the removal of objects that are not in a state that was read earlier if another run has changed the state since:
 * that run may just have created them.
 */
export async function assertStateCurrent(
  stack: string,
  env: NodeJS.ProcessEnv,
  earlier: Deployment,
): Promise<void> {
  if (isSameState(earlier, await readDeployment(stack, env))) return;
  throw new Error(
    `another run has just changed the stack ${stack}, and may still run. Wait until it has ended, and run this again`,
  );
}

/** Whether two states have the same objects, and no run is changing them. Exported for its test. */
export function isSameState(earlier: Deployment, now: Deployment): boolean {
  const objects = ({ resources }: Deployment) => resources.map(({ urn, id }) => `${urn} ${id}`).toSorted();
  return now.pending.length === 0 && objects(earlier).join("\n") === objects(now).join("\n");
}
