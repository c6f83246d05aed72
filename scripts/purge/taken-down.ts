import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";
import { parseDeployment } from "../stack/deployment.ts";
import { deployedStacks } from "./local-leftovers.ts";

/**
 * Fails if a state still contains resources of a stack: they may be on an engine or in a cluster other than the configured
 * one, or only their containers are gone. Fails too if the state cannot be read.
 *
 * @param env the CLI's environment, if a backend was chosen; the local state is read without it
 */
export async function assertTakenDown(stack: string, env: NodeJS.ProcessEnv | undefined): Promise<void> {
  const isDeployed =
    (await deployedStacks(stack)).length > 0 || (env !== undefined && (await hasResources(stack, env)));
  if (!isDeployed) return;
  throw new Error(
    `the state of the stack ${stack} still has resources; destroy it first: npm run destroy -- --stack ${stack}. ` +
      `If its engine or cluster no longer exists, remove the stack from the state: ` +
      `npm run pulumi -- stack rm ${stack} --force --preserve-config`,
  );
}

async function hasResources(stack: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    // Without secrets, which only the stack's passphrase opens.
    const text = await pulumi(["stack", "export", "--stack", stack], { env, output: "read" });
    return parseDeployment(text).resources.length > 0;
  } catch (error) {
    if (!(error instanceof PulumiFailed)) throw error;
    // It was removed from the backend, or never existed.
    if (error.stderr.includes("no stack named")) return false;
    throw new Error(
      `the state of the stack ${stack} cannot be read, so the stack may still be up: ${error.stderr.trim()}. ` +
        "If that state is lost, run it again without PULUMI_BACKEND_URL and after npm run pulumi -- logout",
      { cause: error },
    );
  }
}
