import { existsSync, rmSync } from "node:fs";
import { docker } from "../../engine/docker-cli.ts";
import { stackNameProblem } from "../../engine/names.ts";
import { type Deployment, type PendingOperation, readDeployment } from "../stack/deployment.ts";
import { configFromOptions } from "../stack/cli-options.ts";
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

/** Creates the stack on first use and selects it. @throws if its name is invalid for Docker */
export async function ensureStack(stack: string, env: NodeJS.ProcessEnv): Promise<void> {
  const problem = stackNameProblem(stack);
  if (problem !== undefined) throw new Error(problem);
  await pulumi(["stack", "select", "--create", stack], { env, output: "read" });
}

/**
 * The same, and returns the deployment.
 *
 * @throws if its config file is missing, or it is deployed in another cluster
 */
export async function openStackToLook(
  stack: string,
  env: NodeJS.ProcessEnv,
  options: readonly string[],
): Promise<Deployment> {
  const file = configFromOptions(options).file ?? stackFile(stack);
  const hasFile = existsSync(file);
  // In parallel, because the stack nearly always exists; a new stack is read again after it was created.
  const [, known] = await Promise.all([
    ensureStack(stack, env),
    readDeployment(stack, env).catch(() => undefined),
  ]);
  const deployment = known ?? (await readDeployment(stack, env));
  if (!hasFile && deployment.resources.some(({ type }) => type.startsWith("docker:"))) {
    // The CLI may just have created the file for a salt; it is removed so that the next run notices that it is missing.
    rmSync(file, { force: true });
    throw new Error(missingFile(stack, file));
  }
  const settings = settingsFor(stack, options);
  if (settings("engine") === "kubernetes")
    await assertSameCluster(stack, deployment, clusterOf(settings, ""));
  return deployment;
}

/** The same, and recovers from a killed run. Returns the resulting deployment. */
export async function openStack(
  stack: string,
  env: NodeJS.ProcessEnv,
  options: readonly string[],
): Promise<Deployment> {
  return await recoverInterrupted(stack, env, await openStackToLook(stack, env, options));
}

/** Without its config file, a stack would be changed to the defaults and, for example, lose its edge. */
function missingFile(stack: string, file: string): string {
  return (
    `The stack ${stack} is deployed, but its config file ${file} is missing, so that all settings would revert to their defaults. ` +
    `Restore the file; if you want the defaults, create an empty one: touch ${file}`
  );
}

/**
 * Recovers from a killed run: containers and networks that the engine may have created but that are not in the state block
 * their names for the next update. Volumes and images are found by name. Returns the resulting deployment.
 */
export async function recoverInterrupted(
  stack: string,
  env: NodeJS.ProcessEnv,
  known?: Deployment,
): Promise<Deployment> {
  const deployment = known ?? (await readDeployment(stack, env));
  if (deployment.pending.length === 0) return deployment;
  const leftovers = deployment.pending.filter(({ type }) => type === "creating").flatMap(leftover);
  console.error("The last run was interrupted during an update: refreshing the state, then continuing.");
  // Locks the stack, so that no other run is creating them.
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
  // Cleared last, so that an interrupted recovery is repeated by the next run.
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
