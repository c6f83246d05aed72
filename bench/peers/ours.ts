import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleGateway, gatewayContext } from "../../components/resources/gateway-image/bundle.ts";
import type { VariableName } from "../../gateway/src/config/config.ts";
import { SetupError } from "../../host/exec.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { freePort } from "../../host/free-port.ts";
import { PinnedProcess } from "../pinned-process.ts";
import type { Peer } from "./peer.ts";

const ourRoot = join(import.meta.dirname, "..", "..");
const { key, line: keyLine } = newKey("bench", []);

type Bundler = Pick<typeof import("../../components/resources/gateway-image/bundle.ts"), "bundleGateway">;

// The bundler's path now and in earlier commits.
const BUNDLERS = ["components/resources/gateway-image/bundle.ts", "components/gateway-bundle.ts"];

const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;

/** This project's gateway: the bundle of its image, run with the image's command. */
export const ours = gatewayOf("ours", ourRoot, () => {
  bundleGateway(ourRoot);
  return Promise.resolve();
});

/** The gateway of an earlier commit, with today's packages. */
export function gatewayAt(revision: string): Peer {
  const root = mkdtempSync(join(tmpdir(), "ollama-stack-bench-before-"));
  process.once("exit", () => {
    rmSync(root, { recursive: true, force: true });
  });
  return gatewayOf(`ours at ${revision}`, root, async () => {
    const archive = execFileSync("git", ["archive", revision], {
      cwd: ourRoot,
      maxBuffer: MAX_ARCHIVE_BYTES,
    });
    execFileSync("tar", ["-x"], { cwd: root, input: archive });
    symlinkSync(join(ourRoot, "node_modules"), join(root, "node_modules"));
    const bundler = BUNDLERS.map((path) => join(root, path)).find((path) => existsSync(path));
    if (bundler === undefined)
      throw new SetupError(`--before ${revision}: that commit has no known bundler of the gateway`);
    const { bundleGateway: bundleEarlier } = (await import(pathToFileURL(bundler).href)) as Bundler;
    bundleEarlier(root);
  });
}

function gatewayOf(name: string, root: string, bundle: () => Promise<void>): Peer {
  return {
    name,
    isOurs: true,

    async prepare() {
      await bundle();
      const { command } = readDockerfile(root);
      return `\`${command.join(" ")}\` on Node.js ${process.versions.node}, with keys, validation, admission, metrics, and its log in a file`;
    },

    async start(ollamaPort, folder) {
      const { command, env: imageEnv } = readDockerfile(root);
      const unpacked = (path: string) => path.replace(/^\/app\//, join(root, gatewayContext, "dist", "/"));
      const [program, ...args] = command.map(unpacked);
      const env = Object.fromEntries(
        Object.entries(imageEnv).map(([name, value]) => [name, unpacked(value)]),
      );
      if (program !== "node") throw new Error(`the gateway's image runs ${String(program)}, not node`);
      const port = await freePort();
      const variables = {
        HOST: "127.0.0.1",
        PORT: `${port}`,
        LLM_SERVICE_HOST_IP: "127.0.0.1",
        LLM_SERVICE_PORT: `${ollamaPort}`,
        // Unlimited, because the benchmark measures the gateway and not the queue for Ollama.
        OLLAMA_NUM_PARALLEL: "9999",
        LLM_MODEL_ID: "fast",
        REQUIRED_MODELS: "fast",
        API_KEYS: keyLine,
      } satisfies Partial<Record<VariableName, string>>;
      return await PinnedProcess.start({
        command: [process.execPath, ...args],
        env: { ...env, ...variables },
        port,
        readyPath: "/ready",
        output: openSync(join(folder, `${name}.log`), "a"),
      });
    },

    request: (port, model, stream) => ({
      port,
      path: "/v1/chat/completions",
      model,
      stream,
      headers: { Authorization: `Bearer ${key}` },
    }),
  };
}

/** Reads the command and the environment of the gateway's image. */
function readDockerfile(root: string): { command: string[]; env: Record<string, string> } {
  const path = join(root, gatewayContext, "Dockerfile");
  const lines = readFileSync(path, "utf8")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  const argumentsOf = (instruction: string) =>
    lines.flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1)] : []));
  const [command] = argumentsOf("CMD");
  if (command === undefined) throw new Error(`${path} has no CMD`);
  const env = argumentsOf("ENV").flatMap((line) =>
    [...line.matchAll(/([A-Z_][A-Z0-9_]*)=(?:"([^"]*)"|(\S*))/g)].map(
      ([, name, quoted, bare]) => [name ?? "", quoted ?? bare ?? ""] as const,
    ),
  );
  return { command: JSON.parse(command) as string[], env: Object.fromEntries(env) };
}
