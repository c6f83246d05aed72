import { connect } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { ConfigError, type StackConfig } from "./config.ts";
import { docker, EngineError } from "./engine.ts";
import { urlHost } from "./ollama-server.ts";

/** Runs a function of the program; what it says to users is shown as it is, without a stack trace. */
export function refuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}

interface Published {
  readonly container: string;
  /** running, paused or restarting. */
  readonly state: string;
  readonly ports: string;
}

/**
 * What the provider would only tell in the middle of an update, and in many words: the engine doesn't answer, or a
 * port is taken by something that isn't this stack's. Checked at preview too.
 */
export async function checkHost(
  config: StackConfig,
  names: { ollama: string; gateway: string },
): Promise<void> {
  let running: Published[];
  try {
    running = await publishedPorts();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new pulumi.RunError(
      `The Docker engine does not answer: ${error.message}. Start it (npm run setup does, where it may), or point DOCKER_HOST at one.`,
    );
  }
  const wanted = [
    {
      key: "ollamaPort",
      address: config.ollamaBindAddress,
      port: config.ollamaPort,
      container: names.ollama,
    },
    {
      key: "gatewayPort",
      address: config.gatewayBindAddress,
      port: config.gatewayPort,
      container: names.gateway,
    },
  ];
  const taken = await Promise.all(
    wanted.map(async ({ key, address, port, container }) => {
      const holders = running.filter(({ ports }) => publishes(ports, port)).map((entry) => entry.container);
      if (holders.includes(container)) return undefined;
      // While a container is being restarted its ports are held, and not listed.
      const restarting = running.some(
        (entry) => entry.container === container && entry.state === "restarting",
      );
      if (restarting && holders.length === 0) return undefined;
      if (holders.length === 0 && !(await answers(address, port))) return undefined;
      const holder =
        holders.length > 0 ? `the container ${holders.join(", ")}` : "another program on this host";
      return `Port ${String(port)} is in use by ${holder}. Stop that, or choose another: pulumi config set ${key} PORT`;
    }),
  );
  const problems = taken.filter((line) => line !== undefined);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
}

async function publishedPorts(): Promise<Published[]> {
  const text = await docker(["container", "ls", "--format", "{{.Names}}\t{{.State}}\t{{.Ports}}"]);
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [container = "", state = "", ports = ""] = line.split("\t");
      return { container, state, ports };
    });
}

/** Whether `docker container ls` shows a host port among a container's: "127.0.0.1:8000->8000/tcp, ..." */
export function publishes(ports: string, port: number): boolean {
  return ports.split(", ").some((entry) => {
    const [, from, to] = /:(\d+)(?:-(\d+))?->/.exec(entry) ?? [];
    return from !== undefined && port >= Number(from) && port <= Number(to ?? from);
  });
}

/** Whether something accepts connections there. A remote engine's ports are not this host's, and are left to it. */
function answers(bindAddress: string, port: number): Promise<boolean> {
  if (/^(ssh|tcp|https?):/.test(process.env["DOCKER_HOST"] ?? "")) return Promise.resolve(false);
  const host = urlHost(bindAddress).replace(/^\[|\]$/g, "");
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
