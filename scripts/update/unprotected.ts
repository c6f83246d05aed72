import type { Deployed } from "../stack/deployment.ts";
import { pulumi, PulumiFailed } from "../stack/pulumi-cli.ts";

interface Target {
  readonly stack: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Runs an update while protected resources may be deleted. If it fails, protects those that are left again. */
export async function withoutProtection(
  guarded: readonly Pick<Deployed, "urn">[],
  { stack, env }: Target,
  update: () => Promise<void>,
): Promise<void> {
  const state = async (verb: "protect" | "unprotect", urn: string) => {
    await pulumi(["state", verb, "--yes", urn, "--stack", stack], { env, output: "read" });
  };
  try {
    for (const { urn } of guarded) await state("unprotect", urn);
    await update();
  } catch (error) {
    for (const { urn } of guarded) await state("protect", urn).catch(reportUnlessGone);
    throw error;
  }
}

/** The update's own failure is the one to report. It may already have removed the resource from the state. */
function reportUnlessGone(error: unknown): void {
  if (!(error instanceof PulumiFailed)) throw error;
  if (!/no such resource/i.test(error.stderr)) console.error(error.stderr.trim());
}
