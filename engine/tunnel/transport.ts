import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { Duplex, PassThrough, type Readable, type Writable } from "node:stream";
import { EngineError } from "../docker-cli.ts";
import { helperArguments } from "../helper-container.ts";

/** The far end of a tunnel: a separate container in a network of the engine. */
export interface TunnelTarget {
  /** The network in which services are resolved. */
  readonly network: string;
  /** An image with Node.js 20 or newer; pulled if missing. */
  readonly image: string;
  /** Platform of the image; empty means the engine's own. */
  readonly platform: string;
}

const opensWithinMs = 120_000;
const closesWithinMs = 10_000;
const program = readFileSync(join(import.meta.dirname, "agent.mjs"), "utf8");

/** A container on the engine, and an HTTP/2 connection over its standard input and output. */
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
    // Later errors are handled by the streams that use the session.
    this.session.on("error", () => undefined);
    this.#client.stdin.on("error", () => undefined);
  }

  static async open(end: TunnelTarget, environment: NodeJS.ProcessEnv): Promise<TunnelTransport> {
    const transport = new TunnelTransport(end, environment);
    try {
      await transport.#connected();
      return transport;
    } catch (error) {
      transport.#client.kill();
      const why = error instanceof Error ? error.message : String(error);
      throw new EngineError(`the tunnel into the network ${end.network} cannot be opened: ${why}`);
    }
  }

  /** Closes the connection and waits until the container is removed. */
  async close(): Promise<void> {
    if (this.#client.exitCode !== null || this.#client.signalCode !== null) return;
    const closed = new Promise((resolve) => this.#client.once("close", resolve));
    this.session.destroy();
    this.#client.stdin.end();
    const timer = setTimeout(() => this.#client.kill("SIGKILL"), closesWithinMs);
    await closed;
    clearTimeout(timer);
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      let stderr = "";
      this.#client.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      this.#client.once("error", reject);
      this.#client.once("close", (code) => {
        reject(new Error(reason(stderr) ?? `docker run exited with code ${String(code)}`));
      });
      const timer = setTimeout(() => {
        reject(new Error(`no response within ${String(opensWithinMs / 1000)} s`));
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
 * A process's input and output as one stream, which closes when the process exits and never ends before. On an end, Node
 * would immediately shut down the socket around the stream, and any later write by HTTP/2, such as GOAWAY, fails an
 * assertion inside Node.
 */
function pipesOf({ stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable }): Duplex {
  const incoming = stdout.pipe(new PassThrough(), { end: false });
  stdout.once("close", () => incoming.destroy());
  return Duplex.from({ readable: incoming, writable: stdin });
}

/** The line with the error; the client prints pulls and help around it. */
function reason(stderr: string): string | undefined {
  const lines = stderr.split("\n").map((line) => line.trim());
  return lines.find((line) => line.startsWith("docker: "))?.slice("docker: ".length) ?? lines.find(Boolean);
}

function runArguments({ network, image, platform }: TunnelTarget): string[] {
  const options = ["--interactive", ...(platform === "" ? [] : ["--platform", platform])];
  return helperArguments({ program, image, user: "65532:65532", network, options });
}
