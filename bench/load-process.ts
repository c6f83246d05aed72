import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { step } from "../host/progress.ts";
import { artefact, artefactPath, keyOfFolder } from "../toolchain/cache.ts";
import { goBuild } from "../toolchain/go-build.ts";
import { findGo } from "../toolchain/go.ts";
import { LOAD_CORE } from "./cores.ts";

/** The fake Ollama's models, named after their behaviour; see load/fake.go. */
export const fakeModels = ["fast", "paced", "open", "slow", "cold"] as const;

export type FakeModel = (typeof fakeModels)[number];

/** A request of the load generator, and its target. */
export interface LoadRequest {
  readonly port: number;
  readonly path: string;
  readonly model: string;
  readonly stream: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** What was wrong with responses, and how often. */
export type Faults = Readonly<Record<string, number>>;

/** The result of clients that sent each request as soon as they had the last response. Counts correct responses only. */
export interface ClosedResult {
  readonly responses: number;
  /** From the first request to the last response. */
  readonly seconds: number;
  readonly faults: Faults;
  readonly latency: Spread;
  /** From the request to the first token. */
  readonly first: Spread;
  /** Between two tokens. */
  readonly gap: Spread;
}

export interface OpenResult {
  /** Streams that began. */
  readonly flowing: number;
  readonly faults: Faults;
}

export interface DisconnectResult {
  /** Requests that had reached Ollama when their clients disconnected. */
  readonly reached: number;
  /** Requests that neither ran in Ollama a second later nor began after that. */
  readonly stopped: number;
}

/** Number of tokens that the fake writes at once as the model `fast`; see README.md. */
const TOKENS_PER_WRITE = 3;

const source = join(import.meta.dirname, "load");

/** Returns the path of the program with the fake Ollama and the clients, which is built if it is missing. */
async function loadProgram(): Promise<string> {
  const name = "bench-load";
  const key = keyOfFolder(source);
  const binary = join(artefactPath(name, key), name);
  if (existsSync(binary)) return binary;
  const go = await findGo();
  await step("Building the load generator", 10, (report) =>
    artefact(name, key, (partial) =>
      goBuild(go, { what: name, folder: source, package: ".", output: join(partial, name), report }),
    ),
  );
  return binary;
}

/** The fake Ollama and the clients, in one process on one core. It runs one load at a time. */
export class Load {
  /** Where the fake Ollama listens. */
  readonly port: number;
  readonly #send: (line: string) => void;
  readonly #lines: AsyncIterator<string>;
  readonly stop: () => Promise<void>;

  private constructor(
    port: number,
    send: (line: string) => void,
    lines: AsyncIterator<string>,
    stop: () => Promise<void>,
  ) {
    this.port = port;
    this.#send = send;
    this.#lines = lines;
    this.stop = stop;
  }

  static async start(): Promise<Load> {
    const command = ["-c", LOAD_CORE, await loadProgram(), "-burst", `${TOKENS_PER_WRITE}`];
    const child = spawn("taskset", command, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { port } = await next<{ port: number }>(lines);
    const stop = async (): Promise<void> => {
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    };
    return new Load(port, (line) => child.stdin.write(`${line}\n`), lines, stop);
  }

  closed(request: LoadRequest, connections: number, seconds: number): Promise<ClosedResult> {
    return this.#run({ run: "closed", ...request, connections, seconds });
  }

  /** Opens streams and holds them until `close`. */
  open(request: LoadRequest, connections: number): Promise<OpenResult> {
    return this.#run({ run: "open", ...request, connections });
  }

  close(): Promise<unknown> {
    return this.#run({ run: "close" });
  }

  /**
   * Sends requests and disconnects: after a token, once all clients have one; after nothing, once all requests have
   * reached Ollama or a second has passed.
   */
  disconnect(
    request: LoadRequest,
    connections: number,
    after: "nothing" | "token",
  ): Promise<DisconnectResult> {
    return this.#run({ run: "disconnect", ...request, connections, after });
  }

  #run<Result>(command: object): Promise<Result> {
    this.#send(JSON.stringify({ host: "127.0.0.1", ...command }));
    return next<Result>(this.#lines);
  }
}

async function next<Value>(lines: AsyncIterator<string>): Promise<Value> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the load generator ended: its output is above");
  return JSON.parse(line.value) as Value;
}
