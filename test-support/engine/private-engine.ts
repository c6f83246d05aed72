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

/** The engine that the machine has, or Docker 29, which toolchain/ builds when the tests ask for it. */
export type EngineKind = "machine" | "current";

interface Options {
  /** Unique among the tests, 2 to 8 letters: interfaces of the network are called after it. */
  readonly name: string;
  readonly kind: EngineKind;
  /** The host name that it reports, different from this host's; by default its name. */
  readonly hostname?: string;
  /** Settings of daemon.json besides those that keep it apart; "hosts" are added to its socket. Asked at each start. */
  readonly settings?: (engine: PrivateEngine) => Settings;
  /** Folder with programs that it finds before the machine's. */
  readonly programs?: string;
}

type Settings = Readonly<Record<string, unknown>> & { readonly hosts?: readonly string[] };

interface Answer {
  readonly status: number;
  readonly text: string;
}

const startsWithinMs = 60_000;
const stopsWithinMs = 40_000;

/**
 * A Docker engine of a test's own, apart from the machine's: data, socket, processes, network and control groups.
 * Its ports are ports of that network; what is to reach them at 127.0.0.1 is run inside, with `enter`. It reaches
 * nothing but this host. It ends with the process that started it, however that ends. Needs root and Linux.
 */
export class PrivateEngine {
  readonly folder: string;
  /** DOCKER_HOST of this engine; the socket can be used from everywhere on this machine. */
  readonly host: string;
  /** The address of its network that this host reaches, and this host's there. */
  readonly address: string;
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

  /** What a command has to be for it to run in the engine's network. */
  enter(command: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ["nsenter", [`--net=/run/netns/${this.#namespace}`, command, ...args]];
  }

  /** Has on this engine what stacks of this world need: images and the model registry. */
  async provide(): Promise<void> {
    await this.copyImages(allImages());
    execFileSync(process.execPath, ["scripts/commands/setup.ts"], {
      env: { ...process.env, DOCKER_HOST: this.host },
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  /**
   * Copies images that the environment's engine has as they should be, in a fifth of the time that they take to make:
   * the set-up makes the others.
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

  /** Asks what listens in the engine's network. */
  fetch(url: string, init: { readonly method?: string; readonly body?: string } = {}): Answer {
    const script = `
      const [url, init] = JSON.parse(process.argv[1]);
      const response = await fetch(url, init);
      console.log(JSON.stringify({ status: response.status, text: await response.text() }));`;
    const asked = ["--input-type=module", "--eval", script, JSON.stringify([url, init])];
    const [command, args] = this.enter(process.execPath, asked);
    return JSON.parse(execFileSync(command, args, { encoding: "utf8" })) as Answer;
  }

  /** Stops it in good order and starts it again, as an update of Docker does. */
  async restart(): Promise<void> {
    const [running, daemon] = this.#running();
    const ended = exit(running);
    process.kill(daemon, "SIGTERM");
    await Promise.race([ended, sleep(stopsWithinMs)]);
    await this.#end();
    await this.#launch();
  }

  /** Has it take connections and not answer, until what is returned is called. */
  freeze(): () => void {
    const [, daemon] = this.#running();
    process.kill(daemon, "SIGSTOP");
    return () => process.kill(daemon, "SIGCONT");
  }

  /** Ends it with all its containers from one moment to the next, as a power cut does, and starts it again. */
  async crash(): Promise<void> {
    await this.#end();
    await this.#launch();
  }

  /** The same, and what the kernel knew of its network is gone too: bridges, addresses, rules. */
  async reboot(): Promise<void> {
    await this.#end();
    this.#removeNetwork();
    this.#makeNetwork();
    await this.#launch();
  }

  /** Ends it and removes all that it had. */
  async stop(): Promise<void> {
    await this.#end();
    await this.#removeLeftovers();
  }

  get #namespace(): string {
    // The same file of tests runs at once on either kind.
    return `ollama-stack-engine-${this.#options.name}-${this.#options.kind}`;
  }

  async #launch(): Promise<void> {
    const { name, kind, programs, hostname = name } = this.#options;
    const settings = this.#options.settings?.(this) ?? {};
    const at = (file: string) => join(this.folder, file);
    // What a reboot clears: sockets, process numbers, the state of containers that ran.
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
    // With a process namespace that dies with its first process, nothing outlives the engine; without a mount namespace
    // its mounts would.
    const apart = ["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const daemon = [
      "sh",
      "-c",
      'hostname "$0" && exec dockerd --config-file "$1"',
      hostname,
      at("daemon.json"),
    ];
    const [command, args] = this.enter("unshare", [...apart, "--", ...daemon]);
    this.#process = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], {
      env: { ...process.env, PATH: path },
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    const ended = exit(this.#process);
    const api = dockerApi(at("docker.sock"));
    const until = Date.now() + startsWithinMs;
    for (;;) {
      const state = await Promise.race([ended.then(() => "ended"), answers(api.ping())]);
      if (state === "yes") return;
      if (state === "ended" || Date.now() > until) break;
      await sleep(200);
    }
    const lines = readFileSync(at("log"), "utf8").trim().split("\n").slice(-8);
    await this.#end();
    throw new Error(`the engine "${name}" does not start:\n${lines.join("\n")}`);
  }

  /** What ends with it, and its daemon's process. */
  #running(): [ChildProcess, number] {
    const running = this.#process;
    if (running?.pid === undefined) throw new Error("the engine does not run");
    return [running, daemonOf(running.pid)];
  }

  async #end(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined) return;
    const ended = exit(running);
    running.kill("SIGKILL");
    await ended;
    await gone(this.#namespace);
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
        // There was none.
      }
    };
    quietly("link", "delete", `os-${this.#options.name}`);
    quietly("netns", "delete", this.#namespace);
  }

  /** An engine ends with its run, so that one that answers is not a leftover. */
  async #assertUnused(): Promise<void> {
    const api = dockerApi(join(this.folder, "docker.sock"));
    if ((await answers(api.ping())) !== "yes") return;
    throw new Error(
      `another run of the tests has the engine "${this.#options.name}"; start this one when that has ended`,
    );
  }

  /** What is there of an engine of this name that ended, here or in a run that was killed. */
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

async function answers(ping: Promise<void>): Promise<"yes" | "no"> {
  return await ping.then(
    () => "yes",
    () => "no",
  );
}

/** The daemon is the only child of what made its process namespace. */
function daemonOf(pid: number): number {
  const id = String(pid);
  return Number(readFileSync(`/proc/${id}/task/${id}/children`, "utf8").trim());
}

/** The kernel ends the other processes of the namespace a moment later. */
async function gone(namespace: string): Promise<void> {
  const pids = () => execFileSync("ip", ["netns", "pids", namespace], { encoding: "utf8" }).trim();
  const until = Date.now() + stopsWithinMs;
  while (pids() !== "" && Date.now() < until) await sleep(50);
}
