import { existsSync, rmSync } from "node:fs";
import { docker } from "../../engine/docker-cli.ts";
import { stackNameProblem } from "../../engine/names.ts";
import { type Deployment, type PendingOperation, readDeployment } from "../stack/deployment.ts";
import { givenConfig } from "../stack/cli-options.ts";
import { pulumi } from "../stack/pulumi-cli.ts";
import { clusterOf } from "../stack/cluster-outputs.ts";
import { assertSameCluster } from "../stack/same-cluster.ts";
import { settingsFor } from "../stack/settings.ts";
import { stackFile } from "../stack/stack-file.ts";
import { lockedUpdate } from "./locked-update.ts";

interface Leftover {
  readonly kind: "container" | "network";
  readonly name: string;
}

/** Makes the stack on first use and selects it. @throws if Docker does not take its name */
export async function ensureStack(stack: string, env: NodeJS.ProcessEnv): Promise<void> {
  const problem = stackNameProblem(stack);
  if (problem !== undefined) throw new Error(problem);
  await pulumi(["stack", "select", "--create", stack], { env, output: "read" });
}

/**
 * The same, and returns what is deployed.
 *
 * @throws if that has no file with its settings, or is in another cluster than these name
 */
export async function openStackToLook(
  stack: string,
  env: NodeJS.ProcessEnv,
  options: readonly string[],
): Promise<Deployment> {
  const file = givenConfig(options).file ?? stackFile(stack);
  const hasFile = existsSync(file);
  // Side by side: nearly always there is one already, and if not, it is read after it was made.
  const [, known] = await Promise.all([
    ensureStack(stack, env),
    readDeployment(stack, env).catch(() => undefined),
  ]);
  const deployment = known ?? (await readDeployment(stack, env));
  if (!hasFile && deployment.resources.some(({ type }) => type.startsWith("docker:"))) {
    // The CLI may just have made one, for a salt. The next run is to see that there was none.
    rmSync(file, { force: true });
    throw new Error(missingFile(stack, file));
  }
  const settings = settingsFor(stack, options);
  if (settings("engine") === "kubernetes")
    await assertSameCluster(stack, deployment, clusterOf(settings, ""));
  return deployment;
}

/** The same, and finishes what a killed run left. Returns what is deployed then. */
export async function openStack(
  stack: string,
  env: NodeJS.ProcessEnv,
  options: readonly string[],
): Promise<Deployment> {
  return await recoverInterrupted(stack, env, await openStackToLook(stack, env, options));
}

/** A stack with settings of its own would be changed to the defaults, and lose its edge, say. */
function missingFile(stack: string, file: string): string {
  return (
    `The stack ${stack} is deployed, but ${file} with its settings is missing, and each setting would go back to its default. ` +
    `Put the file back; if the defaults are meant, make an empty one: touch ${file}`
  );
}

/**
 * Finishes what a killed run left: containers and networks that the engine may have made, but that never reached the
 * state. Their names are taken, so the next update could not make them. Volumes and images are found again by name.
 * Returns what is deployed then.
 */
export async function recoverInterrupted(
  stack: string,
  env: NodeJS.ProcessEnv,
  known?: Deployment,
): Promise<Deployment> {
  const deployment = known ?? (await readDeployment(stack, env));
  if (deployment.pending.length === 0) return deployment;
  const leftovers = deployment.pending.filter(({ type }) => type === "creating").flatMap(leftover);
  console.error(
    "The last run was cut off in the middle of an update: looking at what there really is, then going on.",
  );
  // Takes the lock, so nobody else is in the middle of making them.
  await lockedUpdate(["refresh", "--yes", "--skip-preview", "--skip-pending-creates"], stack, env);
  for (const { kind, name } of leftovers) {
    const command = kind === "container" ? ["container", "rm", "--force", name] : ["network", "rm", name];
    await docker(command).then(
      () => {
        console.error(`removed the half-made ${kind} ${name}`);
      },
      (error: unknown) => {
        if (!/no such/i.test(String(error)) && !/not found/i.test(String(error))) throw error;
      },
    );
  }
  // Forgotten only now: cut off before this, the next run does the same again.
  await lockedUpdate(["refresh", "--yes", "--skip-preview", "--clear-pending-creates"], stack, env);
  return await readDeployment(stack, env);
}

function leftover({ resource: { type, inputs } }: PendingOperation): Leftover[] {
  const { name } = inputs;
  if (typeof name !== "string") return [];
  if (type === "docker:index/container:Container") return [{ kind: "container", name }];
  if (type === "docker:index/network:Network") return [{ kind: "network", name }];
  return [];
}
