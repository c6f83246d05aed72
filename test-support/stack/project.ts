import { spawn, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parse, stringify } from "yaml";
import { recordPath } from "../../components/resources/gateway-image/bundle-cache.ts";
import { bundleGateway, gatewayContext } from "../../components/resources/gateway-image/bundle.ts";
import type { PrivateEngine } from "../engine/private-engine.ts";
import { processTree } from "../host/process-tree.ts";
import { parseOutputs, type StackOutputs } from "../../scripts/stack/outputs.ts";
import { projectDefaults } from "../../scripts/stack/stack-file.ts";

export interface Result {
  readonly code: number;
  /** Standard output and error, interleaved. */
  readonly output: string;
}

// Longer than any command takes, but short enough that a hanging command is reported before the test times out.
const commandsEndWithinMs = 4 * 60_000;

/** The variable with the folder of Node.js' compile cache, which all copies share. */
export const compiledVariable = "OLLAMA_STACK_TEST_COMPILED";

interface Options {
  /** Name of the stack, unique among the tests. */
  readonly stack: string;
  readonly ollamaPort: number | "auto";
  readonly gatewayPort: number | "auto";
  /** The stack whose file holds its settings; its own by default. */
  readonly settingsOf?: string;
  /** The engine to deploy to, and in whose network all commands run; otherwise the machine's. */
  readonly engine?: PrivateEngine;
}

/** What the file of a stack's state contains. */
interface State {
  readonly checkpoint: {
    readonly latest: { readonly resources: readonly { readonly type: string; readonly outputs?: unknown }[] };
  };
}

/** A copy of the project with its own stack, state and passphrase, which tests may change and break. */
export class Project {
  readonly folder = mkdtempSync(join(tmpdir(), "ollama-stack-e2e-"));
  readonly stateFolder = join(this.folder, ".state");
  readonly stack: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #configFile: string;
  readonly #engine: PrivateEngine | undefined;

  constructor({ stack, ollamaPort, gatewayPort, settingsOf = stack, engine }: Options) {
    this.stack = stack;
    this.#engine = engine;
    removeLeftovers(stack, engine);
    copyFiles(this.folder);
    symlinkSync(join(process.cwd(), "node_modules"), join(this.folder, "node_modules"));
    copyBundle(this.folder);
    this.#configFile = join(this.folder, `Pulumi.${settingsOf}.yaml`);
    const base = process.env["OLLAMA_STACK_WORLD"] === "built" ? "Pulumi.local.yaml" : "Pulumi.dev.yaml";
    writeFileSync(this.#configFile, readFileSync(base));
    const { ollamaImage, edgeImage, gatewayBaseImage } = projectDefaults();
    // Keys that tests change or read and that the file omits, and a small model instead of the default one.
    const said = { models: [{ name: "smollm2:135m" }], ollamaImage, edgeImage, gatewayBaseImage };
    const missing = Object.entries(said).filter(([key]) => this.configured(key) === undefined);
    this.configure({ ...Object.fromEntries(missing), networkName: "", ollamaPort, gatewayPort });

    mkdirSync(this.stateFolder, { mode: 0o700 });
    this.env = {
      ...process.env,
      PULUMI_BACKEND_URL: pathToFileURL(this.stateFolder).href,
      PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
      PULUMI_STACK: stack,
      // Removes compiled code with the copy.
      NODE_COMPILE_CACHE: process.env[compiledVariable] ?? join(this.folder, ".compiled"),
      ...(engine === undefined ? {} : { DOCKER_HOST: engine.host }),
    };
    delete this.env["PULUMI_CONFIG_PASSPHRASE_FILE"];
  }

  /** Changes config as an editor would; undefined removes a key. */
  configure(values: Readonly<Record<string, unknown>>): void {
    writeFileSync(this.#configFile, this.#configWith(values));
  }

  /**
   * Writes a separate file with changed config, and returns the CLI's options that select it. For commands that run
   * concurrently.
   */
  otherConfig(name: string, values: Readonly<Record<string, unknown>>): readonly string[] {
    const file = join(this.folder, `.config-${name}.yaml`);
    writeFileSync(file, this.#configWith(values));
    return ["--config-file", file];
  }

  #configWith(values: Readonly<Record<string, unknown>>): string {
    const file = parse(readFileSync(this.#configFile, "utf8")) as { config: Record<string, unknown> };
    const changed = Object.entries(values).map(([key, value]) => [`ollama-stack:${key}`, value] as const);
    const entries = Object.entries({ ...file.config, ...Object.fromEntries(changed) });
    file.config = Object.fromEntries(entries.filter(([, value]) => value !== undefined));
    return stringify(file);
  }

  /** The value of a config key in the stack's file. */
  configured(key: string): unknown {
    const { config } = parse(readFileSync(this.#configFile, "utf8")) as { config: Record<string, unknown> };
    return config[`ollama-stack:${key}`];
  }

  /** Edits a file of the copy. Returns a function that restores it. */
  edit(file: string, change: (text: string) => string): () => void {
    const path = join(this.folder, file);
    const before = readFileSync(path, "utf8");
    const after = change(before);
    if (after === before) throw new Error(`the edit of ${file} changes nothing`);
    writeFileSync(path, after);
    return () => {
      writeFileSync(path, before);
    };
  }

  /** Runs the CLI in the copy and expects it to succeed. */
  async pulumi(...args: string[]): Promise<string> {
    const result = await this.tryPulumi(...args);
    if (result.code !== 0) throw new Error(`pulumi ${args.join(" ")} failed:\n${result.output}`);
    return result.output;
  }

  tryPulumi(...args: string[]): Promise<Result> {
    return this.run("pulumi", args).done;
  }

  /** Starts a command in the copy, with some variables changed. */
  run(
    command: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv = {},
  ): { readonly pid: number; readonly done: Promise<Result>; output: () => string } {
    const [program, all] = this.#engine?.enter(command, args) ?? [command, args];
    const child = spawn(program, all, {
      cwd: this.folder,
      env: { ...this.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    const take = (text: string) => (output += text);
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const done = new Promise<Result>((resolve, reject) => {
      const timer = setTimeout(() => {
        const seconds = String(commandsEndWithinMs / 1000);
        const left = child.pid === undefined ? "" : processTree(child.pid);
        try {
          if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
        } catch {
          // It has ended, but a process that it started keeps its output open.
        }
        reject(
          new Error(`${[command, ...args].join(" ")} did not end within ${seconds} s:\n${left}\n${output}`),
        );
      }, commandsEndWithinMs);
      child.once("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once("close", (code) => {
        clearTimeout(timer);
        resolve({ code: code ?? -1, output });
      });
    });
    return { pid: child.pid ?? 0, done, output: () => output };
  }

  /** The outputs in the stack's state, which the CLI would take longer to print. */
  outputs(): Promise<StackOutputs> {
    const file = join(this.stateFolder, ".pulumi/stacks/ollama-stack", `${this.stack}.json`);
    const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as State;
    const stack = checkpoint.latest.resources.find(({ type }) => type === "pulumi:pulumi:Stack");
    const outputs = parseOutputs(stack?.outputs);
    if (outputs !== undefined) return Promise.resolve(outputs);
    return Promise.reject(new Error(`the stack ${this.stack} is not completely deployed`));
  }

  /** Removes the stack's objects by name, without the CLI, and the copy. For tests that claim nothing about destroy. */
  discard(): void {
    removeLeftovers(this.stack, this.#engine);
    this.forget();
  }

  /** Removes the copy with its state, without destroying the stack. */
  forget(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Destroys the rest of the stack and removes the copy. */
  async dispose(): Promise<void> {
    // Skips the CLI, which takes seconds, if there is nothing to destroy.
    if (this.#isLocked()) await this.tryPulumi("cancel", "--yes");
    if (this.#isDeployed()) {
      const result = await this.tryPulumi("destroy", "--yes", "--skip-preview");
      if (result.code !== 0) throw new Error(`destroying ${this.stack} failed:\n${result.output}`);
    }
    this.forget();
  }

  /** Whether a killed run left its lock. */
  #isLocked(): boolean {
    return globSync(join(this.stateFolder, ".pulumi/locks/**/*.json")).length > 0;
  }

  /** Whether the state has resources or pending operations. */
  #isDeployed(): boolean {
    const states = globSync(join(this.stateFolder, ".pulumi/stacks/*/*.json"));
    return states.some((file) =>
      /"(resources|pending_operations)":\s*\[\s*\{/.test(readFileSync(file, "utf8")),
    );
  }
}

/** Copies the files that git tracks or would add. */
function copyFiles(folder: string): void {
  const names = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  }).split("\n");
  // Skips files that are tracked by git but were just deleted.
  const input = names.filter((name) => name !== "" && existsSync(name)).join("\n");
  const archive = execFileSync("tar", ["--create", "--files-from", "-"], { input, maxBuffer: 2 ** 30 });
  execFileSync("tar", ["--extract", "--directory", folder], { input: archive });
}

/** Copies the gateway's bundle, which takes seconds to build and is the same for the same sources. */
function copyBundle(folder: string): void {
  const outdir = join(gatewayContext, "dist");
  bundleGateway(process.cwd(), outdir);
  cpSync(outdir, join(folder, outdir), { recursive: true });
  copyFileSync(recordPath(process.cwd(), outdir), recordPath(folder, outdir));
}

/** The result of `leftovers` for a stack that was removed completely. */
export const nothingLeft: ReturnType<typeof leftovers> = {
  containers: [],
  networks: [],
  volumes: [],
  images: [],
};

/** Names of a stack's objects on an engine, by default the machine's. */
export function leftovers(
  stack: string,
  engine?: PrivateEngine,
): Record<"containers" | "networks" | "volumes" | "images", string[]> {
  const list = (...args: string[]) =>
    dockerOf(engine)(...args)
      .split("\n")
      .filter((line) => line.includes(`-${stack}`) || line.includes(`_${stack}`));
  return {
    containers: list("container", "ls", "--all", "--format", "{{.Names}}"),
    networks: list("network", "ls", "--format", "{{.Name}}"),
    volumes: list("volume", "ls", "--format", "{{.Name}}"),
    images: list("image", "ls", "--format", "{{.Repository}}:{{.Tag}}"),
  };
}

/** Removes the objects of a killed run, whose state was lost with its folder. */
function removeLeftovers(stack: string, engine?: PrivateEngine): void {
  const { containers, networks, volumes, images } = leftovers(stack, engine);
  const docker = dockerOf(engine);
  const remove = (kind: string, names: readonly string[]) => {
    if (names.length > 0) docker(kind, "rm", "--force", ...names);
  };
  // A test may have given the volumes to a second stack.
  const users = volumes.flatMap((volume) => {
    const filter = ["--filter", `volume=${volume}`, "--format", "{{.Names}}"];
    return docker("container", "ls", "--all", ...filter)
      .split("\n")
      .filter((name) => name !== "");
  });
  remove("container", [...new Set([...containers, ...users])]);
  if (networks.length > 0) docker("network", "rm", ...networks);
  remove("volume", volumes);
  remove("image", images);
}

function dockerOf(engine: PrivateEngine | undefined): (...args: string[]) => string {
  return (...args) => engine?.docker(...args) ?? execFileSync("docker", args, { encoding: "utf8" });
}
