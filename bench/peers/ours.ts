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
import { PinnedProcess } from "../pinned.ts";
import type { Peer } from "./peer.ts";

const ourRoot = join(import.meta.dirname, "..", "..");
const { key, line: keyLine } = newKey("bench", []);

type Bundler = Pick<typeof import("../../components/resources/gateway-image/bundle.ts"), "bundleGateway">;

// Where the bundler is, and where it was in earlier commits.
const BUNDLERS = ["components/resources/gateway-image/bundle.ts", "components/gateway-bundle.ts"];

const MAX_ARCHIVE_BYTES = 256 * 1024 * 1024;

/** This project's gateway: the bundle that is in the image, run as the image runs it. */
export const ours = gatewayOf("ours", ourRoot, () => {
  bundleGateway(ourRoot);
  return Promise.resolve();
});

/** The gateway of an earlier commit, beside which a change is measured. Its packages are today's. */
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
    if (bundler === undefined) throw new SetupError(`--before ${revision}: it has no bundler of the gateway`);
    const { bundleGateway: bundleThat } = (await import(pathToFileURL(bundler).href)) as Bundler;
    bundleThat(root);
  });
}

function gatewayOf(name: string, root: string, bundle: () => Promise<void>): Peer {
  return {
    name,

    async prepare() {
      await bundle();
      const { command } = readDockerfile(root);
      return `\`${command.join(" ")}\` on Node.js ${process.versions.node}, with keys, validation, admission, metrics, and its log in a file`;
    },

    async start(ollamaPort, folder) {
      const { command, env: inImage } = readDockerfile(root);
      const unpacked = (path: string) => path.replace(/^\/app\//, join(root, gatewayContext, "dist", "/"));
      const [program, ...args] = command.map(unpacked);
      const env = Object.fromEntries(Object.entries(inImage).map(([name, value]) => [name, unpacked(value)]));
      if (program !== "node") throw new Error(`the gateway's image runs ${String(program)}, not node`);
      const port = await freePort();
      const variables = {
        HOST: "127.0.0.1",
        PORT: `${port}`,
        LLM_SERVICE_HOST_IP: "127.0.0.1",
        LLM_SERVICE_PORT: `${ollamaPort}`,
        // What is measured is the gateway, not the queue for Ollama.
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

    question: (port, model, stream) => ({
      port,
      path: "/v1/chat/completions",
      model,
      stream,
      headers: { Authorization: `Bearer ${key}` },
    }),
  };
}

/** The command and the environment that the image gives the gateway. */
function readDockerfile(root: string): { command: string[]; env: Record<string, string> } {
  const path = join(root, gatewayContext, "Dockerfile");
  const lines = readFileSync(path, "utf8")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  const arguments_ = (instruction: string) =>
    lines.flatMap((line) => (line.startsWith(`${instruction} `) ? [line.slice(instruction.length + 1)] : []));
  const [command] = arguments_("CMD");
  if (command === undefined) throw new Error(`${path} has no CMD`);
  const env = arguments_("ENV").flatMap((line) =>
    [...line.matchAll(/([A-Z_][A-Z0-9_]*)=(?:"([^"]*)"|(\S*))/g)].map(
      ([, name, quoted, bare]) => [name ?? "", quoted ?? bare ?? ""] as const,
    ),
  );
  return { command: JSON.parse(command) as string[], env: Object.fromEntries(env) };
}
