import { z } from "zod";
import { docker } from "../components/engine.ts";
import { pulumi } from "./pulumi-cli.ts";
import { lockedUpdate } from "./update.ts";

const exported = z.object({
  deployment: z.object({
    pending_operations: z
      .array(
        z.object({
          type: z.string(),
          resource: z.object({
            type: z.string(),
            inputs: z.object({ name: z.unknown() }).partial().optional(),
          }),
        }),
      )
      .nullish(),
  }),
});

interface Leftover {
  readonly kind: "container" | "network";
  readonly name: string;
}

/** Makes the stack on first use and selects it. */
export async function ensureStack(stack: string, env: NodeJS.ProcessEnv): Promise<void> {
  await pulumi(["stack", "select", "--create", stack], { env, output: "read" });
}

/**
 * Finishes what a killed run left: containers and networks that the engine may have made, but that never reached the
 * state. Their names are taken, so the next update could not make them. Volumes and images are found again by name.
 */
export async function recoverInterrupted(stack: string, env: NodeJS.ProcessEnv): Promise<void> {
  const text = await pulumi(["stack", "export", "--stack", stack], { env, output: "read" });
  const pending = exported.parse(JSON.parse(text)).deployment.pending_operations ?? [];
  if (pending.length === 0) return;
  const leftovers = pending
    .filter(({ type }) => type === "creating")
    .flatMap(({ resource }) => leftover(resource));
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
}

function leftover({ type, inputs }: { type: string; inputs?: { name?: unknown } | undefined }): Leftover[] {
  const name = inputs?.name;
  if (typeof name !== "string") return [];
  if (type === "docker:index/container:Container") return [{ kind: "container", name }];
  if (type === "docker:index/network:Network") return [{ kind: "network", name }];
  return [];
}
