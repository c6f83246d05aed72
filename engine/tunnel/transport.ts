import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { Duplex, PassThrough, type Readable, type Writable } from "node:stream";
import { EngineError } from "../docker-cli.ts";

/** Where a tunnel ends: in a container of its own, in a network of the engine. */
export interface TunnelTarget {
  /** The network, in which services are found by their names. */
  readonly network: string;
  /** An image with Node.js 20 or newer; pulled if the engine does not have it. */
  readonly image: string;
  /** Platform of the image; empty means the engine's own. */
  readonly platform: string;
}

const opensWithinMs = 120_000;
const closesWithinMs = 10_000;
const farEnd = readFileSync(join(import.meta.dirname, "agent.mjs"), "utf8");

/** A container that the engine runs for us, and the HTTP/2 connection over its standard input and output. */
export class TunnelTransport {
  readonly session: ClientHttp2Session;
  readonly #client: ChildProcessByStdio<Writable, Readable, Readable>;

  private constructor(end: TunnelTarget, environment: NodeJS.ProcessEnv) {
    this.#client = spawn("docker", runArguments(end), {
      env: environment,
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    this.session = connect("http://tunnel", {
      createConnection: () => pipesOf(this.#client),
    });
    // What breaks later is noticed by those who use it.
    this.session.on("error", () => undefined);
    this.#client.stdin.on("error", () => undefined);
  }

  static async open(end: TunnelTarget, environment: NodeJS.ProcessEnv): Promise<TunnelTransport> {
    const wire = new TunnelTransport(end, environment);
    try {
      await wire.#answer();
      return wire;
    } catch (error) {
      wire.#client.kill();
      const why = error instanceof Error ? error.message : String(error);
      throw new EngineError(`the tunnel into the network ${end.network} cannot be opened: ${why}`);
    }
  }

  /** Ends it; its container is gone when this returns. */
  async close(): Promise<void> {
    if (this.#client.exitCode !== null || this.#client.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#client.once("close", resolve));
    this.session.destroy();
    this.#client.stdin.end();
    const timer = setTimeout(() => this.#client.kill("SIGKILL"), closesWithinMs);
    await closed;
    clearTimeout(timer);
  }

  #answer(): Promise<void> {
    return new Promise((resolve, reject) => {
      let said = "";
      this.#client.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
      this.#client.once("error", reject);
      this.#client.once("close", (code) => {
        reject(new Error(reason(said) ?? `docker run ended with code ${String(code)}`));
      });
      const timer = setTimeout(() => {
        reject(new Error(`no answer within ${String(opensWithinMs / 1000)} s`));
      }, opensWithinMs);
      timer.unref();
      this.session.once("remoteSettings", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/**
 * A process's input and output as one stream, which is closed when the process goes, and never ends before. On an end
 * Node would shut the socket that it wraps around the stream down at once, and whatever HTTP/2 writes after that, be
 * it only a farewell, is an assertion that fails inside of Node.
 */
function pipesOf({ stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable }): Duplex {
  const incoming = stdout.pipe(new PassThrough(), { end: false });
  stdout.once("close", () => incoming.destroy());
  return Duplex.from({ readable: incoming, writable: stdin });
}

/** The line that says why; around it the client prints its pulls and its help. */
function reason(said: string): string | undefined {
  const lines = said.split("\n").map((line) => line.trim());
  return lines.find((line) => line.startsWith("docker: "))?.slice("docker: ".length) ?? lines.find(Boolean);
}

function runArguments({ network, image, platform }: TunnelTarget): string[] {
  return [
    ...["run", "--rm", "--interactive", "--network", network, "--entrypoint", "node"],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65532:65532"],
    // Its output is what passes through: not to be kept.
    ...["--memory", "128m", "--pids-limit", "64", "--log-driver", "none"],
    ...(platform === "" ? [] : ["--platform", platform]),
    ...[image, "--input-type=module", "--eval", farEnd],
  ];
}
