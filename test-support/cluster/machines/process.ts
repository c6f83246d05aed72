import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { namespaceOf } from "./network.ts";

/** A program in the network of one machine of the cluster. It ends with the process that started it. */
export class MachineProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #log: string;

  constructor(machine: string, command: readonly string[], log: string, path = process.env["PATH"]) {
    const file = openSync(log, "w");
    const net = `--net=/run/netns/${namespaceOf(machine)}`;
    this.#log = log;
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", "nsenter", net, ...command], {
      // All programs of the cluster share two cores, so fewer threads leave more to the others.
      env: { ...process.env, PATH: path, GOMAXPROCS: "2" },
      stdio: ["ignore", file, file],
    });
    closeSync(file);
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => {
        resolve();
      });
    });
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The last lines of its output. */
  get lastLines(): string {
    return readFileSync(this.#log, "utf8").trim().split("\n").slice(-8).join("\n");
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.running) this.#child.kill(signal);
    await this.#ended;
  }
}
