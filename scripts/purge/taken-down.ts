import { readDeployment } from "../stack/deployment.ts";
import { PulumiFailed } from "../stack/pulumi-cli.ts";
import { shortStackName } from "../../engine/names.ts";
import { deployedStacks } from "./local-leftovers.ts";

/**
 * Fails if a state still contains resources of a stack in a cluster, which may be in a cluster other than the configured one.
 *
 * @param env the CLI's environment, if a backend was chosen; the local state is read without it
 */
export async function assertTakenDown(stack: string, env: NodeJS.ProcessEnv | undefined): Promise<void> {
  const isDeployed =
    (await deployedStacks()).includes(shortStackName(stack)) ||
    (env !== undefined && (await hasResources(stack, env)));
  if (!isDeployed) return;
  throw new Error(
    `the state of the stack ${stack} still has resources; destroy it first: npm run destroy -- --stack ${stack}. ` +
      `If its cluster no longer exists, remove the stack from the state: ` +
      `npm run pulumi -- stack rm ${stack} --force --preserve-config`,
  );
}

async function hasResources(stack: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    return (await readDeployment(stack, env)).resources.length > 0;
  } catch (error) {
    // It was removed from the backend, or never existed.
    if (error instanceof PulumiFailed && error.stderr.includes("no stack named")) return false;
    throw error;
  }
}
