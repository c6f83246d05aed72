import { z } from "zod";
import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";
import { parseDeployment } from "../stack/deployment.ts";
import { deployedStacks } from "./local-leftovers.ts";

/**
 * Fails if a state still contains resources of a stack: they may be on an engine or in a cluster other than the configured
 * one, or only their containers are gone. Fails too if the state cannot be read.
 *
 * @param stack undefined for every stack of the project
 * @param env the CLI's environment, if a backend was chosen; the local state is read without it
 */
export async function assertTakenDown(
  stack: string | undefined,
  env: NodeJS.ProcessEnv | undefined,
): Promise<void> {
  const local = await deployedStacks(stack);
  const isLocal = local.length > 0;
  const [deployed] = isLocal || env === undefined ? local : await stacksInBackend(stack, env);
  if (deployed === undefined) return;
  if (stack === undefined)
    throw new Error(
      `the stack ${deployed} still exists; destroy it first: npm run destroy -- --stack ${deployed}` +
        (isLocal ? "" : ". If it is not yours, remove what one of yours left: npm run purge -- --stack NAME"),
    );
  throw new Error(
    `the state of the stack ${stack} still has resources; destroy it first: npm run destroy -- --stack ${stack}. ` +
      `If its engine or cluster no longer exists, remove the stack from the state: ` +
      `npm run pulumi -- stack rm ${stack} --force --preserve-config`,
  );
}

const listed = z.array(
  z.object({ name: z.string(), lastUpdate: z.string().optional(), resourceCount: z.number().optional() }),
);

/** The stacks with resources in the chosen backend; `only` looks for one of them. */
async function stacksInBackend(only: string | undefined, env: NodeJS.ProcessEnv): Promise<string[]> {
  try {
    if (only === undefined) {
      const text = await pulumi(["stack", "ls", "--json"], { env, output: "read" });
      const stacks = listed.parse(JSON.parse(text));
      return stacks.filter(mayBeUp).map(({ name }) => name);
    }
    // Without secrets, which only the stack's passphrase opens.
    const text = await pulumi(["stack", "export", "--stack", only], { env, output: "read" });
    return parseDeployment(text).resources.length > 0 ? [only] : [];
  } catch (error) {
    if (!(error instanceof PulumiFailed)) throw error;
    // It was removed from the backend, or never existed.
    if (error.stderr.includes("no stack named")) return [];
    const [what, which] = only === undefined ? ["backend", "a stack"] : [`stack ${only}`, "the stack"];
    throw new Error(
      `the state of the ${what} cannot be read, so ${which} may still be up: ${error.stderr.trim()}. ` +
        "If that state is lost, run it again without PULUMI_BACKEND_URL and after npm run pulumi -- logout",
      { cause: error },
    );
  }
}

/** Pulumi Cloud knows no number of resources of a stack that was never updated. */
function mayBeUp({ lastUpdate, resourceCount }: z.infer<typeof listed>[number]): boolean {
  return resourceCount === undefined ? lastUpdate !== undefined : resourceCount > 0;
}
