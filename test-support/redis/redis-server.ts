import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../host/free-port.ts";
import { unpackedPackages } from "../host/debian-packages.ts";

export interface Program {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

const SETPRIV = "/usr/bin/setpriv";

let program: Promise<Program> | undefined;

/** Finds the machine's own Redis or Valkey, or unpacks Debian's. */
async function findProgram(): Promise<Program> {
  for (const name of ["redis-server", "valkey-server"]) {
    for (const folder of (process.env["PATH"] ?? "").split(":")) {
      const path = join(folder, name);
      if (existsSync(path)) return { path, env: {} };
    }
  }
  if (!existsSync("/usr/bin/apt-get"))
    throw new Error("the tests of shared state need redis-server or valkey-server: install one of them");
  const folder = await unpackedPackages("redis-server", ["redis-server", "redis-tools"], true);
  const libraries = readdirSync(join(folder, "usr", "lib")).map((name) => join(folder, "usr", "lib", name));
  return {
    path: join(folder, "usr", "bin", "redis-server"),
    env: { LD_LIBRARY_PATH: libraries.join(":") },
  };
}

/** The program, with the environment for its libraries. */
export function redisProgram(): Promise<Program> {
  return (program ??= findProgram());
}

/** Provides the program. Takes a minute if it is neither installed nor cached. */
export async function fetchRedis(): Promise<void> {
  await redisProgram();
}

/** A Redis on a free loopback port, without persistence. */
export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "ollama-stack-redis-"));
  readonly #password: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, password: string) {
    this.port = port;
    this.#password = password;
  }

  static async start(password = ""): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), password);
    await server.run();
    return server;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Path of a file with the password, which is written on each call. */
  get passwordFile(): string {
    const path = join(this.#folder, "password");
    writeFileSync(path, `${this.#password}\n`, { mode: 0o600 });
    return path;
  }

  /** Starts it, or restarts it after `kill`. */
  async run(): Promise<void> {
    const { path, env } = await redisProgram();
    const settings = ["--bind", "127.0.0.1", "--port", `${this.port}`, "--dir", this.#folder];
    const noPersistence = ["--save", "", "--appendonly", "no"];
    const password = this.#password === "" ? [] : ["--requirepass", this.#password];
    // Ends with this process, even if that is killed.
    const [command = path, ...prefix] = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", path] : [path];
    const child = spawn(command, [...prefix, ...settings, ...noPersistence, ...password], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.#process = child;
    let text = "";
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject).once("exit", () => {
        reject(new Error(`redis-server ended:\n${text}`));
      });
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text = (text + piece).slice(-4096);
        if (text.includes("eady to accept connections")) resolve();
      });
    });
  }

  /** Keeps its connections open without responding. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Kills it, and so loses its data. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  /** Runs a command and returns the reply. */
  async command(...words: readonly string[]): Promise<unknown> {
    const client = new Redis(this.url, { password: this.#password, protocol: 2 });
    try {
      const [name = "", ...rest] = words;
      return await client.call(name, ...rest);
    } finally {
      client.disconnect();
    }
  }

  /** Kills it and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
