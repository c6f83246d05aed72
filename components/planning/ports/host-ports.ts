import { connect } from "node:net";
import {
  askEngine,
  type EngineAddress,
  EngineError,
  engineHost,
  isRemote,
} from "../../../engine/docker-cli.ts";

interface Listed {
  readonly container: string;
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly state: string;
  /** As `docker container ls` shows them: only while it runs. */
  readonly ports: string;
}

/** What a stack's own containers have of a port. */
export interface OwnPort {
  /** The one that the first of them has that has one, running or not. */
  readonly port?: number;
  /** One that it was made for and could not have. */
  readonly refused?: number;
}

/** The ports of an engine's host: who has which, as the engine and a look at them tell. */
export class HostPorts {
  readonly #engine: EngineAddress;
  readonly #listed: readonly Listed[];

  private constructor(engine: EngineAddress, listed: readonly Listed[]) {
    this.#engine = engine;
    this.#listed = listed;
  }

  /** Asks the engine; fails with an EngineError when it does not answer. */
  static async read(engine: EngineAddress): Promise<HostPorts> {
    const format = "{{.Names}}\t{{.State}}\t{{.Ports}}";
    const text = await askEngine(["container", "ls", "--all", "--format", format], { engine });
    const listed = text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [container = "", state = "", ports = ""] = line.split("\t");
        return { container, state, ports };
      });
    return new HostPorts(engine, listed);
  }

  /** Whose a port is that something else than these containers has; undefined when it can be had. */
  async takenBy(address: string, port: number, own: readonly string[]): Promise<string | undefined> {
    const holders = this.#listed
      .filter(({ ports }) => publishes(ports, address, port))
      .map(({ container }) => container);
    if (own.some((container) => holders.includes(container))) return undefined;
    if (holders.length > 0) return `the container ${holders.join(", ")}`;
    // While a container is being restarted its ports are held, and not listed.
    if (this.#listed.some(({ container, state }) => own.includes(container) && state === "restarting"))
      return undefined;
    // A remote engine's ports are not this host's, and are left to it.
    if (isRemote(engineHost(this.#engine)) || !(await answers(address, port))) return undefined;
    return "another program on this host";
  }

  /** Which of these containers are there and were started at some time. */
  started(containers: readonly string[]): string[] {
    const listed = new Set(
      this.#listed.filter(({ state }) => state !== "created").map(({ container }) => container),
    );
    return containers.filter((container) => listed.has(container));
  }

  /** The port of the first of these containers that has one. */
  async of(containers: readonly string[]): Promise<OwnPort> {
    let refused: number | undefined;
    for (const name of containers) {
      const listed = this.#listed.find(({ container }) => container === name);
      if (listed === undefined) continue;
      const port = publishedPort(listed.ports) ?? (await this.#configuredPort(name));
      if (port === undefined) continue;
      // The engine binds a port only when it starts a container, and this one it never started.
      if (listed.state === "created") refused = port;
      else return { port };
    }
    return refused === undefined ? {} : { refused };
  }

  async #configuredPort(container: string): Promise<number | undefined> {
    const format = "{{json .HostConfig.PortBindings}}";
    const text = await askEngine(["container", "inspect", "--format", format, container], {
      engine: this.#engine,
    }).catch((error: unknown) => {
      // Removed since it was listed.
      if (error instanceof EngineError && /no such container/i.test(error.message)) return "null";
      throw error;
    });
    const bindings = JSON.parse(text) as Record<string, { HostPort: string }[] | null> | null;
    const [port] = Object.values(bindings ?? {}).flatMap((each) => each ?? []);
    return port === undefined ? undefined : Number(port.HostPort);
  }
}

/** What `docker container ls` shows of one published TCP port: "127.0.0.1:8000->8000/tcp", or a range of them. */
const shown = /^(.*):(\d+)(?:-(\d+))?->.*\/tcp$/;

/**
 * Whether what `docker container ls` shows of a container's ports ("127.0.0.1:8000->8000/tcp, ...") keeps a TCP port from
 * being bound at an address: the same one, or one of the two is all addresses.
 */
export function publishes(ports: string, address: string, port: number): boolean {
  return ports.split(", ").some((entry) => {
    const [, at = "", from, to] = shown.exec(entry) ?? [];
    if (from === undefined || port < Number(from) || port > Number(to ?? from)) return false;
    const other = at.replace(/^\[|\]$/g, "");
    return other === address || [other, address].some((one) => one === "0.0.0.0" || one === "::");
  });
}

function publishedPort(ports: string): number | undefined {
  const from = ports.split(", ").flatMap((entry) => shown.exec(entry)?.[2] ?? [])[0];
  return from === undefined ? undefined : Number(from);
}

/** Whether something accepts connections there. */
function answers(bindAddress: string, port: number): Promise<boolean> {
  const host = bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress === "::" ? "::1" : bindAddress;
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => {
      end(true);
    });
    socket.once("timeout", () => {
      end(false);
    });
    socket.once("error", () => {
      end(false);
    });
  });
}
