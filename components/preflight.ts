import { connect } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "./config.ts";
import { docker, type EngineAddress, EngineError, engineHost, isRemote } from "./engine.ts";
import { checkClientEnvironment, explainEngine } from "./engine-problems.ts";
import type { StackNames } from "./names.ts";

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
export async function checkHost(config: StackConfig, names: StackNames): Promise<void> {
  const problem = checkClientEnvironment(config);
  if (problem !== undefined) throw new pulumi.RunError(problem);
  let running: Published[];
  try {
    running = await publishedPorts(config);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new pulumi.RunError(explainEngine(config, error.message));
  }
  const remote = isRemote(engineHost(config));
  const wanted = [
    {
      key: "ollamaPort",
      address: config.ollamaBindAddress,
      port: config.ollamaPort,
      containers: [names.ollama],
    },
    {
      key: "gatewayPort",
      address: config.gatewayBindAddress,
      port: config.gatewayPort,
      // The gateway leaves its port to a new edge; the other way round, the edge would still have it.
      containers: config.edge === "none" ? [names.gateway] : [names.edge, names.gateway],
    },
  ];
  const taken = await Promise.all(
    wanted.map(async ({ key, address, port, containers }) => {
      if (port === 0) return undefined;
      const holders = running
        .filter(({ ports }) => publishes(ports, address, port))
        .map((entry) => entry.container);
      if (containers.some((container) => holders.includes(container))) return undefined;
      // While a container is being restarted its ports are held, and not listed.
      const restarting = running.some(
        (entry) => containers.includes(entry.container) && entry.state === "restarting",
      );
      if (restarting && holders.length === 0) return undefined;
      // A remote engine's ports are not this host's, and are left to it.
      if (holders.length === 0 && (remote || !(await answers(address, port)))) return undefined;
      const holder =
        holders.length > 0 ? `the container ${holders.join(", ")}` : "another program on this host";
      return `Port ${String(port)} is in use by ${holder}. Stop that, or choose another: pulumi config set ${key} PORT`;
    }),
  );
  const problems = taken.filter((line) => line !== undefined);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
}

async function publishedPorts(engine: EngineAddress): Promise<Published[]> {
  const format = "{{.Names}}\t{{.State}}\t{{.Ports}}";
  const text = await docker(["container", "ls", "--format", format], { engine });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [container = "", state = "", ports = ""] = line.split("\t");
      return { container, state, ports };
    });
}

/**
 * Whether what `docker container ls` shows of a container's ports ("127.0.0.1:8000->8000/tcp, ...") keeps a TCP port from
 * being bound at an address: the same one, or one of the two is all addresses.
 */
export function publishes(ports: string, address: string, port: number): boolean {
  return ports.split(", ").some((entry) => {
    const [, at = "", from, to] = /^(.*):(\d+)(?:-(\d+))?->.*\/tcp$/.exec(entry) ?? [];
    if (from === undefined || port < Number(from) || port > Number(to ?? from)) return false;
    const other = at.replace(/^\[|\]$/g, "");
    return other === address || [other, address].some((one) => one === "0.0.0.0" || one === "::");
  });
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
