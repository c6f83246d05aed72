import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dockerApi } from "../../engine/docker-api.ts";
import { type ProcessEnd, runProcess } from "../../host/run-process.ts";
import { partBinary, parts } from "../../toolchain/binaries.ts";
import { makeSiteCertificates } from "./certificates.ts";
import { fillHub } from "./hub-images.ts";
import { fillEtc, fillHome, user } from "./machine-files.ts";
import { firstLine } from "./first-line.ts";
import { fillModels } from "./model-files.ts";
import { releaseArchives } from "./release-archives.ts";
import type { Entry, RequestEntry } from "./stand-in/journal.ts";
import { companyNames, type Faults, knownNames, mirrorPort, proxyPort } from "./stand-in/settings.ts";
import { removeControlGroups } from "../host/control-groups.ts";
import { cgroup, folderPrefix, removeLeftovers } from "./world-leftovers.ts";

interface WorldOptions {
  /** Whether the proxy intercepts TLS with the company's authority, which only the engine trusts. */
  readonly inspecting?: boolean;
  /** Settings of the engine's daemon.json. */
  readonly daemon?: (world: ReleasedWorld) => Readonly<Record<string, unknown>>;
  readonly faults?: Faults;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Time after which the command is killed, ms. */
  readonly withinMs?: number;
  readonly onOutput?: (text: string) => void;
  /** Folders that come first on the PATH. */
  readonly pathFirst?: readonly string[];
}

const startsWithinMs = 60_000;
const commandsEndWithinMs = 4 * 60_000;

/** Arguments of unshare that isolate a world. */
export const isolation = [
  ...["--net", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"],
  ...["--propagation", "private", "--"],
];

/**
 * An ordinary machine with a stand-in for the internet: its own network, mounts, processes and host name, an engine at
 * the default socket, and a user in the group docker who is not root. Needs root and Linux, and ends with the process
 * that started it.
 */
export class ReleasedWorld {
  readonly folder = mkdtempSync(join(tmpdir(), `${folderPrefix}${String(process.pid)}-`));
  /** The address of the stand-in for the internet: DNS, sites, proxy, mirror. */
  readonly address = "198.18.77.1";
  readonly proxy = `http://${this.address}:${String(proxyPort)}`;
  readonly mirror = `http://${this.address}:${String(mirrorPort)}`;
  /** The project's copy in the user's home. */
  readonly project = `${user.home}/ollama-stack`;
  /** Path of the PEM file of the company's authority in the world. The machine does not trust it. */
  readonly companyAuthority = `${user.home}/company.pem`;
  #holder: ChildProcess | undefined;
  #pid = 0;

  static async start(options: WorldOptions = {}): Promise<ReleasedWorld> {
    removeLeftovers();
    const world = new ReleasedWorld();
    try {
      await world.#start(options);
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  /** Replaces the faults of the stand-in. */
  setFaults(faults: Faults): void {
    writeFileSync(this.#at("faults.json"), JSON.stringify(faults));
  }

  /** Requests to the outside since the start or the last `forget`. */
  journal(): Entry[] {
    const lines = readFileSync(this.#at("journal"), "utf8").trim().split("\n");
    return lines.filter(Boolean).map((line) => JSON.parse(line) as Entry);
  }

  forget(): void {
    writeFileSync(this.#at("journal"), "");
  }

  /** Requests to the stand-in, of one host if it is given. */
  requests(host?: string): RequestEntry[] {
    return this.journal().flatMap((entry) =>
      entry.kind === "request" && (host === undefined || entry.host === host) ? [entry] : [],
    );
  }

  /** Targets of requests to the proxy: "host:port", or the method and URL of other requests. */
  proxied(): string[] {
    return this.journal().flatMap((entry) => (entry.kind === "proxy" ? [entry.target] : []));
  }

  /** Names that were looked up but are not among those that the released tools need. */
  unexpectedNames(): string[] {
    const names = this.journal().flatMap((entry) =>
      entry.kind === "dns" && !entry.expected ? [entry.name] : [],
    );
    return [...new Set(names)];
  }

  /** Runs a command in the user's copy of the project as the user, with its own environment. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<ProcessEnd> {
    return this.#run([String(user.id), String(user.id), `${String(user.id)},${String(user.dockerGroup)}`], {
      ...options,
      env: {
        // npm's registry is not reachable.
        npm_config_update_notifier: "false",
        HOME: user.home,
        USER: user.name,
        LANG: "C.UTF-8",
        PATH: [...(options.pathFirst ?? []), "/run/node/bin", machinePath].join(delimiter),
        ...options.env,
      },
      command: [command, ...args],
    });
  }

  /** Runs an npm script of the project. Returns its standard error and output. */
  async npm(script: string, args: readonly string[] = [], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(
      "npm",
      ["run", "--silent", script, "--", ...args],
      options,
    );
    const output = `${stderr}${stdout}`;
    if (code !== 0) throw new Error(`npm run ${script} failed with ${String(code)}:\n${output}`);
    return output;
  }

  /** Runs a command as root, to prepare a test. */
  async root(command: string, ...args: string[]): Promise<string> {
    const env = { HOME: "/root", USER: "root", PATH: machinePath };
    const end = await this.#run(["0", "0", "0"], { env, command: [command, ...args] });
    if (end.code !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${end.stderr}`);
    return end.stdout;
  }

  /** Ends all its processes and removes it. */
  async stop(): Promise<void> {
    const holder = this.#holder;
    this.#holder = undefined;
    if (holder !== undefined) {
      const ended = new Promise((resolve) => holder.once("exit", resolve));
      holder.kill("SIGKILL");
      await ended;
    }
    await removeControlGroups([cgroup], 60_000);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  #at(file: string): string {
    return join(this.folder, file);
  }

  async #start({ inspecting = false, daemon, faults = {} }: WorldOptions): Promise<void> {
    chmodSync(this.folder, 0o755);
    const certificates = makeSiteCertificates(this.#at("certificates"), knownNames);
    const company = makeSiteCertificates(this.#at("company"), [...knownNames, ...companyNames]);
    this.setFaults(faults);
    this.forget();
    const releases = await releaseArchives();
    await fillHub(this.#at("hub"), certificates.authority);
    fillModels(this.#at("models"));
    fillHome(this.#at("home"), company.authority);
    fillEtc(this.#at("etc"), certificates.authority, this.address);
    await this.#hold();

    const settings = {
      address: this.address,
      certificate: certificates.certificate,
      key: certificates.key,
      company,
      inspectedAuthority: inspecting ? certificates.authority : undefined,
      journal: this.#at("journal"),
      faults: this.#at("faults.json"),
      releases,
      hub: this.#at("hub"),
      models: this.#at("models"),
    };
    writeFileSync(this.#at("stand-in.json"), JSON.stringify(settings));
    const main = join(import.meta.dirname, "stand-in", "main.ts");
    await firstLine(this.#spawn([process.execPath, main, this.#at("stand-in.json")], process.env));
    await this.#startEngine(daemon?.(this) ?? {}, inspecting ? { SSL_CERT_FILE: company.authority } : {});
  }

  /** Creates the namespaces, with a first process that lasts until this one ends. */
  async #hold(): Promise<void> {
    const script = `
      set -e
      hostname laptop
      ip link set lo up
      ip address add ${this.address}/32 dev lo
      mount -t tmpfs tmpfs /run
      mkdir -p /run/layers/upper /run/layers/work /run/node
      cp -a "$0/etc/." /run/layers/upper
      mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/layers/upper,workdir=/run/layers/work /etc
      mount -t tmpfs tmpfs /home
      mkdir ${user.home}
      mount --bind "$0/home" ${user.home}
      mkdir -p /run/modules/upper /run/modules/work
      cd ${this.project}
      mount -t overlay overlay -o lowerdir="$1",upperdir=/run/modules/upper,workdir=/run/modules/work node_modules
      rm -rf node_modules/.cache node_modules/.v*
      chown ${String(user.id)}:${String(user.id)} node_modules
      cd /
      mount --bind "$2" /run/node
      echo ready
      while :; do sleep 3600 & wait; done`;
    const node = dirname(dirname(process.execPath));
    const holder = spawn(
      "setpriv",
      [
        ...["--pdeathsig", "KILL", "unshare", ...isolation],
        ...["sh", "-c", script, this.folder, join(process.cwd(), "node_modules"), node],
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#holder = holder;
    await firstLine(holder);
    const children = readFileSync(`/proc/${String(holder.pid)}/task/${String(holder.pid)}/children`, "utf8");
    this.#pid = Number(children.trim());
  }

  async #startEngine(
    settings: Readonly<Record<string, unknown>>,
    trust: Readonly<Record<string, string>>,
  ): Promise<void> {
    const data = this.#at("docker");
    mkdirSync(data, { mode: 0o711 });
    const own = { "data-root": data, "cgroup-parent": `/${cgroup}`, ...settings };
    writeFileSync(this.#at("daemon.json"), JSON.stringify(own));
    const programs = [parts.dockerd, parts.dockerProxy, parts.runc].map((part) => dirname(partBinary(part)));
    const env = { PATH: [...programs, machinePath].join(delimiter), ...trust };
    const daemon = this.#spawn(["dockerd", "--config-file", this.#at("daemon.json")], env);
    const api = dockerApi(`/proc/${String(this.#pid)}/root/run/docker.sock`);
    const until = Date.now() + startsWithinMs;
    for (;;) {
      const state = await api.ping().then(
        () => "ready",
        () => "unreachable",
      );
      if (state === "ready") return;
      if (daemon.exitCode !== null || Date.now() > until) break;
      await sleep(100);
    }
    const log = readFileSync(this.#at("dockerd.log"), "utf8").trim().split("\n").slice(-8).join("\n");
    throw new Error(`the world's engine did not start:\n${log}`);
  }

  /** Starts a program in the world as root, with its errors in a log. */
  #spawn(command: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    const [program = ""] = command;
    const log = openSync(this.#at(`${program.split("/").at(-1) ?? ""}.log`), "a");
    const child = spawn("nsenter", [...this.#enter("/"), ...command], {
      env,
      stdio: ["ignore", "pipe", log],
    });
    closeSync(log);
    return child;
  }

  #run(
    [uid = "", gid = "", groups = ""]: readonly string[],
    { env, command, withinMs = commandsEndWithinMs, onOutput }: RunOptions & { command: readonly string[] },
  ): Promise<ProcessEnd> {
    const identity = ["--reuid", uid, "--regid", gid, "--groups", groups];
    const args = [...this.#enter(this.project), "setpriv", ...identity, "--", ...command];
    return runProcess("nsenter", args, {
      env: { ...env },
      timeoutMs: withinMs,
      ...(onOutput && { onOutput }),
    });
  }

  #enter(folder: string): string[] {
    const inside = ["sh", "-c", 'cd "$0" && exec "$@"', folder];
    return ["-t", String(this.#pid), "-n", "-m", "-p", "-u", "--", ...inside];
  }
}

const machinePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
