import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { runTool } from "../host/exec.ts";
import { step } from "../host/progress.ts";
import { artefact, artefactPath, keyOfFolder } from "../toolchain/cache.ts";
import { findGo } from "../toolchain/go.ts";
import { LOAD_CORE } from "./cores.ts";

/** The fake Ollama's models, named after their behaviour; see load/fake.go. */
export const fakeModels = ["fast", "paced", "open", "slow", "cold"] as const;

export type FakeModel = (typeof fakeModels)[number];

/** The requests of a load, and their target. */
export interface Question {
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

/** What was wrong with answers, and how often. */
export type Faults = Readonly<Record<string, number>>;

/** Clients that sent the next request as soon as they had a response. Only right responses are counted. */
export interface ClosedResult {
  readonly answers: number;
  /** From the first question to the last answer. */
  readonly seconds: number;
  readonly faults: Faults;
  readonly latency: Spread;
  /** From the question to the first token. */
  readonly first: Spread;
  /** Between two tokens. */
  readonly gap: Spread;
}

export interface OpenResult {
  /** Streams that have begun. */
  readonly flowing: number;
  readonly faults: Faults;
}

export interface LeaveResult {
  /** Requests that had reached Ollama when their clients left. */
  readonly reached: number;
  /** Requests that did not run in Ollama a second later, nor began after that. */
  readonly stopped: number;
}

/** How many tokens the fake writes in a piece when it is as fast as it can be; see README.md. */
export const TOKENS_A_PIECE = 3;

const source = join(import.meta.dirname, "load");

/** The program with the fake Ollama and the clients in it, built unless it is there. */
async function loadProgram(): Promise<string> {
  const name = "bench-load";
  const key = keyOfFolder(source);
  const binary = join(artefactPath(name, key), name);
  if (existsSync(binary)) return binary;
  const go = await findGo();
  await step("Building the load generator", 10, (report) =>
    artefact(name, key, async (partial) => {
      const env = { ...go.env, GOFLAGS: "-buildvcs=false", GOWORK: "off", CGO_ENABLED: "0" };
      const args = ["build", "-trimpath", "-o", join(partial, name), "."];
      await runTool(go.command, args, { what: `build ${name}`, cwd: source, env, report });
    }),
  );
  return binary;
}

/** The fake Ollama and the clients: one process on one core. One run at a time. */
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
    const command = ["-c", LOAD_CORE, await loadProgram(), "-burst", `${TOKENS_A_PIECE}`];
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

  closed(question: Question, connections: number, seconds: number): Promise<ClosedResult> {
    return this.#run({ run: "closed", ...question, connections, seconds });
  }

  /** Opens streams and holds them until `close`. */
  open(question: Question, connections: number): Promise<OpenResult> {
    return this.#run({ run: "open", ...question, connections });
  }

  close(): Promise<unknown> {
    return this.#run({ run: "close" });
  }

  /** Clients that ask and leave: when all have reached Ollama or a second has passed, or once all have a token. */
  leave(question: Question, connections: number, after: "nothing" | "token"): Promise<LeaveResult> {
    return this.#run({ run: "leave", ...question, connections, after });
  }

  #run<Result>(command: object): Promise<Result> {
    this.#send(JSON.stringify({ host: "127.0.0.1", ...command }));
    return next<Result>(this.#lines);
  }
}

async function next<Value>(lines: AsyncIterator<string>): Promise<Value> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the load generator ended: what it said is above");
  return JSON.parse(line.value) as Value;
}
