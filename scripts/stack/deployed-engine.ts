import {
  type EngineAddress,
  engineEnvironment,
  engineHost,
  engineProvider,
  isRemote,
} from "../../engine/docker-cli.ts";
import type { Deployed } from "./deployment.ts";

/** The engine of a deployed stack, from its state; undefined if it is not deployed on any. */
export function deployedEngine(resources: readonly Deployed[]): EngineAddress | undefined {
  if (!resources.some(({ type }) => type.startsWith("docker:"))) return undefined;
  const provider = resources.find(
    ({ type, name }) => type === "pulumi:providers:docker" && name === engineProvider,
  );
  const text = (key: string) => {
    const value = provider?.inputs[key];
    return typeof value === "string" ? value : "";
  };
  return { dockerHost: text("host"), dockerCertPath: text("certPath") };
}

/**
 * All variables with which Docker's client selects an engine, so that values for a former address do not remain. `env` is the
 * CLI's environment, which selects the engine if the address is empty.
 */
export function clientVariables(address: EngineAddress, env: NodeJS.ProcessEnv): Record<string, string> {
  const own = address.dockerHost === "" ? env : {};
  const names = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];
  return {
    ...Object.fromEntries(names.map((name) => [name, own[name] ?? ""])),
    ...engineEnvironment(address),
  };
}

/** Formats an engine for messages: "this machine's engine", "the engine at ssh://ops@gpu-host". */
export function engineName(address: EngineAddress): string {
  const host = engineHost(address);
  return address.dockerHost !== "" || isRemote(host) ? `the engine at ${host}` : "this machine's engine";
}
