import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { isRunning } from "../../host/process-liveness.mjs";
import { PulumiFailed } from "../stack/pulumi-cli.ts";
import { parseOutputs, type StackOutputs } from "../stack/outputs.ts";

// The outputs that an update ends with are among its events, which the CLI writes into a file for whoever asks, as it does
// for Pulumi's Automation API: it need not be started again to tell them. Secrets are left out of it.

const event = z.object({
  resOutputsEvent: z
    .object({
      metadata: z.object({ type: z.string(), new: z.object({ outputs: z.unknown() }).nullish() }),
    })
    .optional(),
  diagnosticEvent: z
    .object({ urn: z.string().default(""), message: z.string(), severity: z.string() })
    .optional(),
});

const prefix = "ollama-stack-update-";

/** What the CLI writes in the place of a secret, and of what reads like one. */
const hidden = "[secret]";

/**
 * Runs an update and returns the outputs that it ended with, or undefined if they have to be read from the state.
 * The error of a failed one has the messages of each resource, too, which the CLI shows on the terminal only.
 *
 * @param update is given what to add to the CLI's options and environment
 */
export async function updateWithOutputs(
  update: (options: readonly string[], environment: Readonly<Record<string, string>>) => Promise<void>,
): Promise<StackOutputs | undefined> {
  // Its owner's alone: the state's values are in it.
  removeAbandoned();
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  const file = join(folder, "events");
  try {
    // The CLI has that option where it is to have what is for other programs.
    await update(["--event-log", file], { PULUMI_DEBUG_COMMANDS: "true" });
    return outputsIn(file);
  } catch (error) {
    if (!(error instanceof PulumiFailed)) throw error;
    throw new PulumiFailed(
      error.code,
      [error.stderr, ...errorsIn(file)].join("\n"),
      error.stdout,
      error.shown,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What runs have left that were killed: it holds values of a state. */
function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(name.startsWith(prefix) ? name.slice(prefix.length).split("-")[0] : NaN);
    if (!Number.isInteger(pid) || isRunning(pid)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // Somebody else's.
    }
  }
}

/** What the last event about the stack itself says. */
function outputsIn(file: string): StackOutputs | undefined {
  try {
    const ends = eventsIn(file, "resOutputsEvent").map(({ resOutputsEvent }) => resOutputsEvent?.metadata);
    const outputs = ends.findLast((end) => end?.type === "pulumi:pulumi:Stack")?.new?.outputs;
    return JSON.stringify(outputs ?? {}).includes(hidden) ? undefined : parseOutputs(outputs);
  } catch {
    return undefined;
  }
}

/** What was wrong with resources: "ollama-image: the image ..." */
function errorsIn(file: string): string[] {
  try {
    return eventsIn(file, "diagnosticEvent").flatMap(({ diagnosticEvent: said }) =>
      said?.severity === "error" ? `${said.urn.split("::").at(-1) ?? ""}: ${said.message.trim()}` : [],
    );
  } catch {
    return [];
  }
}

function eventsIn(file: string, kind: keyof z.output<typeof event>): z.output<typeof event>[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.includes(`"${kind}"`))
    .map((line) => event.parse(JSON.parse(line)));
}
