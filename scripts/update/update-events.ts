import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { isRunning } from "../../host/process-liveness.mjs";
import { PulumiFailed } from "../stack/pulumi-cli.ts";
import { parseOutputs, type StackOutputs } from "../stack/outputs.ts";

// Reads an update's outputs from its event log, which the CLI writes for Pulumi's Automation API, instead of starting the CLI
// again. The log omits secrets.

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

/** The CLI's placeholder for secrets, and for strings that contain them. */
const hidden = "[secret]";

/**
 * Runs an update and returns its outputs, or undefined if they must be read from the state. If it fails, the error also
 * carries each resource's diagnostics, which the CLI otherwise only prints.
 *
 * @param update receives additional CLI options and environment variables
 */
export async function updateWithOutputs(
  update: (options: readonly string[], environment: Readonly<Record<string, string>>) => Promise<void>,
): Promise<StackOutputs | undefined> {
  // Readable by its owner only, because it contains values of the state.
  removeAbandoned();
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  const file = join(folder, "events");
  try {
    // The CLI offers that option only in its mode for other programs.
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

/** Removes the event logs of killed runs, which contain values of the state. */
function removeAbandoned(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(name.startsWith(prefix) ? name.slice(prefix.length).split("-")[0] : NaN);
    if (!Number.isInteger(pid) || isRunning(pid)) continue;
    try {
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // It belongs to another user.
    }
  }
}

/** The outputs in the last event about the stack itself. */
function outputsIn(file: string): StackOutputs | undefined {
  try {
    const ends = eventsIn(file, "resOutputsEvent").map(({ resOutputsEvent }) => resOutputsEvent?.metadata);
    const outputs = ends.findLast((end) => end?.type === "pulumi:pulumi:Stack")?.new?.outputs;
    return JSON.stringify(outputs ?? {}).includes(hidden) ? undefined : parseOutputs(outputs);
  } catch {
    return undefined;
  }
}

/** Error messages of resources: "ollama-image: the image ..." */
function errorsIn(file: string): string[] {
  try {
    return eventsIn(file, "diagnosticEvent").flatMap(({ diagnosticEvent: diagnostic }) =>
      diagnostic?.severity === "error"
        ? `${diagnostic.urn.split("::").at(-1) ?? ""}: ${diagnostic.message.trim()}`
        : [],
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
