import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dockerApi, dockerClientApi } from "../../engine/docker-api.ts";
import { installPackages } from "../../toolchain/apt.ts";
import { partBinary, parts } from "../../toolchain/binaries.ts";
import { allImages, isImageCurrent, type LocalImage } from "../../toolchain/images.ts";
import { removeControlGroups } from "../host/control-groups.ts";

/** The machine's engine, or Docker 29, which toolchain/ builds on demand. */
export type EngineKind = "machine" | "current";

interface Options {
  /** Unique among the tests, 2 to 8 letters, because network interfaces are named after it. */
  readonly name: string;
  readonly kind: EngineKind;
  /** The host name that it reports, different from this host's; by default `name`. */
  readonly hostname?: string;
  /** Further settings of daemon.json, evaluated at each start; "hosts" are added to its socket. */
  readonly settings?: (engine: PrivateEngine) => Settings;
  /** Folder with programs that take precedence over the machine's. */
  readonly programs?: string;
}

type Settings = Readonly<Record<string, unknown>> & { readonly hosts?: readonly string[] };

interface FetchResult {
  readonly status: number;
  readonly text: string;
}

const startsWithinMs = 60_000;
const stopsWithinMs = 40_000;

/**
 * A Docker engine for a test, isolated from the machine's: data, socket, processes, network and control groups. Its ports
 * belong to its network; use `enter` to run commands that reach them at 127.0.0.1. It reaches only this host, and ends
 * with the process that started it. Needs root and Linux.
 */
export class PrivateEngine {
  readonly folder: string;
  /** DOCKER_HOST of this engine. The socket is usable from anywhere on this machine. */
  readonly host: string;
  /** Its address in its network, which this host reaches. */
  readonly address: string;
  /** This host's address in that network. */
  readonly gateway: string;
  readonly #options: Options;
  #process: ChildProcess | undefined;

  private constructor(options: Options) {
    this.#options = options;
    this.folder = join(tmpdir(), this.#namespace);
    this.host = `unix://${join(this.folder, "docker.sock")}`;
    // 198.18.0.0/15 is set aside for tests of networks.
    const third = Buffer.from(options.name).reduce((sum, byte) => (sum * 31 + byte) % 251, 7);
    this.gateway = `198.18.${String(third)}.1`;
    this.address = `198.18.${String(third)}.2`;
  }

  static async start(options: Options): Promise<PrivateEngine> {
    const engine = new PrivateEngine(options);
    await installPackages(["iproute2"]);
    await engine.#assertUnused();
    await engine.#removeLeftovers();
    engine.#makeNetwork();
    mkdirSync(join(engine.folder, "data"), { recursive: true, mode: 0o700 });
    await engine.#launch();
    return engine;
  }

  /** Wraps a command so that it runs in the engine's network. */
  enter(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ["nsenter", [`--net=/run/netns/${this.#namespace}`, command, ...args]];
  }

  /** Provides images and the model registry for stacks. */
  async provide(): Promise<void> {
    await this.copyImages(allImages());
    execFileSync(process.execPath, ["scripts/commands/setup.ts"], {
      env: { ...process.env, DOCKER_HOST: this.host },
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /**
   * Copies the images that are current on the environment's engine, which takes a fifth of the time of building them.
   * The set-up builds the others.
   */
  async copyImages(images: readonly LocalImage[]): Promise<void> {
    const api = dockerClientApi();
    const isThere = await Promise.all(images.map((image) => isImageCurrent(api, image)));
    const tags = images.filter((_, i) => isThere[i]).flatMap(({ tag, keyedTag }) => [tag, keyedTag]);
    if (tags.length === 0) return;
    const copy = 'docker image save "$@" | docker --host "$0" image load';
    execFileSync("sh", ["-c", copy, this.host, ...tags], { stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Runs Docker's client against it and returns what it prints. */
  docker(...args: string[]): string {
    return execFileSync("docker", ["--host", this.host, ...args], { encoding: "utf8" });
  }

  /** Sends a request from within the engine's network. */
  fetch(url: string, init: { readonly method?: string; readonly body?: string } = {}): FetchResult {
    const script = `
      const [url, init] = JSON.parse(process.argv[1]);
      const response = await fetch(url, init);
      console.log(JSON.stringify({ status: response.status, text: await response.text() }));`;
    const scriptArgs = ["--input-type=module", "--eval", script, JSON.stringify([url, init])];
    const [command, args] = this.enter(process.execPath, scriptArgs);
    return JSON.parse(execFileSync(command, args, { encoding: "utf8" })) as FetchResult;
  }

  /** Stops it gracefully and starts it again, as an update of Docker does. */
  async restart(): Promise<void> {
    const [running, daemon] = this.#running();
    const ended = exit(running);
    process.kill(daemon, "SIGTERM");
    await Promise.race([ended, sleep(stopsWithinMs)]);
    await this.#end();
    await this.#launch();
  }

  /** Lets it accept connections without responding, until the returned function is called. */
  freeze(): () => void {
    const [, daemon] = this.#running();
    process.kill(daemon, "SIGSTOP");
    return () => process.kill(daemon, "SIGCONT");
  }

  /** Kills it with all its containers, as a power cut does, and starts it again. */
  async crash(): Promise<void> {
    await this.#end();
    await this.#launch();
  }

  /** Like `crash`, but also loses the kernel's state of its network: bridges, addresses, rules. */
  async reboot(): Promise<void> {
    await this.#end();
    this.#removeNetwork();
    this.#makeNetwork();
    await this.#launch();
  }

  /** Kills it and removes everything it created. */
  async stop(): Promise<void> {
    await this.#end();
    await this.#removeLeftovers();
  }

  get #namespace(): string {
    // A test file runs on both kinds at the same time.
    return `ollama-stack-engine-${this.#options.name}-${this.#options.kind}`;
  }

  async #launch(): Promise<void> {
    const { name, kind, programs, hostname = name } = this.#options;
    const settings = this.#options.settings?.(this) ?? {};
    const at = (file: string) => join(this.folder, file);
    // A reboot clears sockets, process ids and the state of running containers.
    for (const file of ["exec", "docker.sock", "docker.pid"])
      rmSync(at(file), { recursive: true, force: true });
    const own = {
      "data-root": at("data"),
      "exec-root": at("exec"),
      pidfile: at("docker.pid"),
      "cgroup-parent": `/${this.#namespace}`,
      ...settings,
      hosts: [this.host, ...(settings.hosts ?? [])],
    };
    writeFileSync(at("daemon.json"), JSON.stringify(own, undefined, 2));
    const built = [parts.dockerd, parts.dockerProxy, parts.runc].map((part) => dirname(partBinary(part)));
    const path = [programs, ...(kind === "current" ? built : []), process.env["PATH"]]
      .filter((folder) => folder !== undefined)
      .join(delimiter);
    const log = openSync(at("log"), "a");
    // A process namespace dies with its first process, so nothing outlives the engine. Its mounts need a mount namespace
    // for that.
    const isolation = ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const daemon = [
      "sh",
      "-c",
      'hostname "$0" && exec dockerd --config-file "$1"',
      hostname,
      at("daemon.json"),
    ];
    const [command, args] = this.enter("unshare", [...isolation, "--", ...daemon]);
    this.#process = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], {
      env: { ...process.env, PATH: path },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const ended = exit(this.#process);
    const api = dockerApi(at("docker.sock"));
    const until = Date.now() + startsWithinMs;
    for (;;) {
      const state = await Promise.race([ended.then(() => "ended"), isResponding(api.ping())]);
      if (state === "yes") return;
      if (state === "ended" || Date.now() > until) break;
      await sleep(200);
    }
    const lines = readFileSync(at("log"), "utf8").trim().split("\n").slice(-8);
    await this.#end();
    throw new Error(`the engine "${name}" did not start:\n${lines.join("\n")}`);
  }

  /** The process with which the engine ends, and the id of the daemon's process. */
  #running(): [ChildProcess, number] {
    const running = this.#process;
    if (running?.pid === undefined) throw new Error("the engine is not running");
    return [running, daemonOf(running.pid)];
  }

  async #end(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return;
    const ended = exit(running);
    running.kill("SIGKILL");
    await ended;
    await waitUntilEmpty(this.#namespace);
  }

  #makeNetwork(): void {
    const { name } = this.#options;
    const ip = (...args: string[]) => execFileSync("ip", args);
    const [outside, inside] = [`os-${name}`, `is-${name}`];
    ip("netns", "add", this.#namespace);
    ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", this.#namespace);
    ip("address", "add", `${this.gateway}/30`, "dev", outside);
    ip("link", "set", outside, "up");
    ip("-n", this.#namespace, "address", "add", `${this.address}/30`, "dev", inside);
    ip("-n", this.#namespace, "link", "set", inside, "up");
    ip("-n", this.#namespace, "link", "set", "lo", "up");
  }

  #removeNetwork(): void {
    const quietly = (...args: string[]) => {
      try {
        execFileSync("ip", args, { stdio: "ignore" });
      } catch {
        // There is none.
      }
    };
    quietly("link", "delete", `os-${this.#options.name}`);
    quietly("netns", "delete", this.#namespace);
  }

  /** Throws if an engine responds: it ends with its run, so it is not a leftover. */
  async #assertUnused(): Promise<void> {
    const api = dockerApi(join(this.folder, "docker.sock"));
    if ((await isResponding(api.ping())) !== "yes") return;
    throw new Error(
      `another run of the tests has the engine "${this.#options.name}"; start this one when that has ended`,
    );
  }

  /** Removes what an engine of this name left, in this run or in a killed one. */
  async #removeLeftovers(): Promise<void> {
    this.#removeNetwork();
    rmSync(this.folder, { recursive: true, force: true });
    await removeControlGroups([this.#namespace], stopsWithinMs);
  }
}

function exit(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else
      child.once("exit", () => {
        resolve();
      });
  });
}

async function isResponding(ping: Promise<void>): Promise<"yes" | "no"> {
  return await ping.then(
    () => "yes",
    () => "no",
  );
}

/** The daemon is the only child of the process that created its namespace. */
function daemonOf(pid: number): number {
  const id = String(pid);
  return Number(readFileSync(`/proc/${id}/task/${id}/children`, "utf8").trim());
}

/** Waits until the kernel has ended the other processes of the namespace. */
async function waitUntilEmpty(namespace: string): Promise<void> {
  const pids = () => execFileSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).trim();
  const until = Date.now() + stopsWithinMs;
  while (pids() !== "" && Date.now() < until) await sleep(50);
}
