import { connect } from "node:net";
import {
  queryEngine,
  type EngineAddress,
  EngineError,
  engineHost,
  isRemote,
} from "../../../engine/docker-cli.ts";

interface ListedContainer {
  readonly container: string;
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly state: string;
  /** As shown by `docker container ls`, only while it runs. */
  readonly ports: string;
}

/** The port of a stack's own containers. */
export interface OwnPort {
  /** The port of the first container that has one, running or not. */
  readonly port?: number;
  /** A port that could not be bound when the container was created. */
  readonly refused?: number;
}

/** The ports in use on an engine's host. */
export class HostPorts {
  readonly #engine: EngineAddress;
  readonly #listed: readonly ListedContainer[];

  private constructor(engine: EngineAddress, listed: readonly ListedContainer[]) {
    this.#engine = engine;
    this.#listed = listed;
  }

  /** Queries the engine. @throws EngineError if it does not respond */
  static async read(engine: EngineAddress): Promise<HostPorts> {
    const format = "{{.Names}}\t{{.State}}\t{{.Ports}}";
    const text = await queryEngine(["container", "ls", "--all", "--format", format], { engine });
    const listed = text
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [container = "", state = "", ports = ""] = line.split("\t");
        return { container, state, ports };
      });
    return new HostPorts(engine, listed);
  }

  /** What holds a port other than the given containers; undefined if it is free for them. */
  async takenBy(address: string, port: number, own: readonly string[]): Promise<string | undefined> {
    const holders = this.#listed
      .filter(({ ports }) => publishes(ports, address, port))
      .map(({ container }) => container);
    if (own.some((container) => holders.includes(container))) return undefined;
    if (holders.length > 0) return `the container ${holders.join(", ")}`;
    // While a container restarts, its ports are in use but not listed.
    if (this.#listed.some(({ container, state }) => own.includes(container) && state === "restarting"))
      return undefined;
    // The ports of a remote engine cannot be checked from this host.
    if (isRemote(engineHost(this.#engine)) || !(await acceptsConnections(address, port))) return undefined;
    return "another program on this host";
  }

  /** The containers that exist and were started at least once. */
  started(containers: readonly string[]): string[] {
    const listed = new Set(
      this.#listed.filter(({ state }) => state !== "created").map(({ container }) => container),
    );
    return containers.filter((container) => listed.has(container));
  }

  /** The port of the first container that has one. */
  async of(containers: readonly string[]): Promise<OwnPort> {
    let refused: number | undefined;
    for (const name of containers) {
      const listed = this.#listed.find(({ container }) => container === name);
      if (listed === undefined) continue;
      const port = publishedPort(listed.ports) ?? (await this.#configuredPort(name));
      if (port === undefined) continue;
      // The engine binds ports when it starts a container, and it never started this one.
      if (listed.state === "created") refused = port;
      else return { port };
    }
    return refused === undefined ? {} : { refused };
  }

  async #configuredPort(container: string): Promise<number | undefined> {
    const format = "{{json .HostConfig.PortBindings}}";
    const text = await queryEngine(["container", "inspect", "--format", format, container], {
      engine: this.#engine,
    }).catch((error: unknown) => {
      // It was removed since it was listed.
      if (error instanceof EngineError && /no such container/i.test(error.message)) return "null";
      throw error;
    });
    const bindings = JSON.parse(text) as Record<string, { HostPort: string }[] | null> | null;
    const [port] = Object.values(bindings ?? {}).flatMap((each) => each ?? []);
    return port === undefined ? undefined : Number(port.HostPort);
  }
}

/** A published TCP port as shown by `docker container ls`: "127.0.0.1:8000->8000/tcp", or a range. */
const shown = /^(.*):(\d+)(?:-(\d+))?->.*\/tcp$/;

/**
 * Whether a container's ports, as shown by `docker container ls` ("127.0.0.1:8000->8000/tcp, ..."), conflict with binding a
 * TCP port at an address: the addresses are equal, or one of them is a wildcard.
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

function acceptsConnections(bindAddress: string, port: number): Promise<boolean> {
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
