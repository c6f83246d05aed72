import * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig, StackConfig } from "../../config/keys.ts";
import { EngineError, engineHost } from "../../../engine/docker-cli.ts";
import { checkClientEnvironment, explainEngine } from "../../../engine/diagnostics.ts";
import { applicableCpuLimits } from "../cpu-limits.ts";
import { type EngineInfo, readEngineInfo } from "../engine-info.ts";
import { requireAdopted } from "../last-objects.ts";
import { HostPorts } from "./host-ports.ts";
import { type StackNames, stackNameProblem } from "../../../engine/names.ts";
import { chosenPorts, choosePort } from "./port-choice.ts";
import { deployedPorts } from "./previous-ports.ts";
import { neighbourAccess, neighbourWarning } from "../network/neighbour-access.ts";
import { readPacketFilter } from "../network/packet-filter.ts";

interface PortClaim {
  readonly key: "ollamaPort" | "gatewayPort" | "prometheusPort";
  /** The stack output with the port. */
  readonly output: "ollamaUrl" | "gatewayUrl" | "prometheusUrl";
  readonly address: string;
  readonly port: ParsedConfig["gatewayPort"];
  /** The stack's containers that may hold it. */
  readonly containers: readonly string[];
}

/**
 * Fails early on problems that the provider would report midway through an update: the engine does not respond, or
 * something outside this stack holds a port. Runs at preview too. Returns the config with all ports resolved, and what
 * the engine reports of itself.
 */
export async function checkHost(
  config: ParsedConfig,
  names: StackNames,
): Promise<{ readonly config: StackConfig; readonly engine: EngineInfo }> {
  const problem = stackNameProblem(pulumi.getStack()) ?? checkClientEnvironment(config);
  if (problem !== undefined) throw new pulumi.RunError(problem);
  let host: HostPorts;
  let engine: EngineInfo;
  try {
    [host, engine] = await Promise.all([HostPorts.read(config), readEngineInfo(config)]);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new pulumi.RunError(explainEngine(config, error.message));
  }
  await requireAdopted(host, names, config);
  const ollama: PortClaim = {
    key: "ollamaPort",
    output: "ollamaUrl",
    address: config.ollamaBindAddress,
    port: config.ollamaPort,
    containers: [names.ollama],
  };
  const gateway: PortClaim = {
    key: "gatewayPort",
    output: "gatewayUrl",
    address: config.gatewayBindAddress,
    port: config.gatewayPort,
    // A new edge takes over the gateway's port. The reverse does not work: an edge is removed only at the end of an update.
    containers:
      config.edge === "none" && !pulumi.runtime.isDryRun() ? [names.gateway] : [names.edge, names.gateway],
  };
  const prometheus: PortClaim = {
    key: "prometheusPort",
    output: "prometheusUrl",
    address: "127.0.0.1",
    // 0 means none.
    port: config.monitoring === "none" ? 0 : config.prometheusPort,
    containers: [names.prometheus],
  };
  await requireFreePorts(host, [ollama, gateway, prometheus], names.edge);
  if (config.edge === "none" && config.gatewayPort === "auto" && !pulumi.runtime.isDryRun()) {
    // At preview, the port counts as unchanged.
    const { port } = await host.of([names.edge]);
    if (port !== undefined) throw new pulumi.RunError(edgeHas(port, names.edge));
  }
  const neighbours = await checkNeighbours(config, engine);
  const { limits, warning } = applicableCpuLimits(config, engine);
  if (warning !== undefined) void pulumi.log.warn(warning);
  const ollamaPort = await portOf(host, ollama, [gateway.port, prometheus.port]);
  const gatewayPort = await portOf(host, gateway, [ollamaPort, prometheus.port]);
  const prometheusPort = await portOf(host, prometheus, [ollamaPort, gatewayPort]);
  const ports = { ollamaPort, gatewayPort, prometheusPort };
  return { config: { ...config, ...limits, ...ports, ...neighbours }, engine };
}

/** Warns about an engine that lets other hosts reach its containers. The production policy uses the result. */
async function checkNeighbours(
  config: ParsedConfig,
  engine: EngineInfo,
): Promise<Pick<StackConfig, "neighbourAccess">> {
  const access = await neighbourAccess(engine, engineHost(config), readPacketFilter);
  const warning = neighbourWarning(engine, access);
  if (warning !== undefined) void pulumi.log.warn(warning);
  return { neighbourAccess: access };
}

async function requireFreePorts(host: HostPorts, claims: readonly PortClaim[], edge: string): Promise<void> {
  const lines = await Promise.all(
    claims.map(async ({ key, address, port, containers }) => {
      if (port === 0 || port === "auto") return undefined;
      const holder = await host.takenBy(address, port, containers);
      if (holder === undefined) return undefined;
      if (holder === `the container ${edge}`) return edgeHas(port, edge);
      return `Port ${String(port)} is in use by ${holder}. Stop that, or choose another: pulumi config set ${key} PORT`;
    }),
  );
  const problems = lines.filter((line) => line !== undefined);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
}

function edgeHas(port: number, edge: string): string {
  return `Port ${String(port)} is still held by the container ${edge}, which this update removes. Run npm run up, which removes it first, or: pulumi destroy --target '**::ollama-stack:index:Edge**'`;
}

/** The configured port, or a chosen one for `auto`. */
async function portOf(
  host: HostPorts,
  { key, output, address, port, containers }: PortClaim,
  others: readonly PortClaim["port"][],
): Promise<number> {
  if (port !== "auto") return port;
  const own = await host.of(containers);
  const chosen = await choosePort({
    name: containers.at(-1) ?? key,
    had: own.port === undefined ? await deployedPorts(output) : [own.port],
    refused: own.refused,
    isFree: async (candidate) =>
      !others.includes(candidate) &&
      (await host.takenBy(address, candidate, candidate === own.port ? containers : [])) === undefined,
  });
  if (chosen !== undefined) return chosen;
  throw new pulumi.RunError(
    `${key} is auto, but no port from ${chosenPorts} is free; set one with: pulumi config set ${key} PORT`,
  );
}
