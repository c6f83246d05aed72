import {
  type EngineAddress,
  engineEnvironment,
  engineHost,
  engineProvider,
  isRemote,
} from "../../engine/docker-cli.ts";
import type { Deployed } from "./deployment.ts";

/** The engine that a stack is on, as its state says; undefined when nothing of the stack is on any. */
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
 * All the variables by which Docker's client finds an engine, so that what an earlier address may have left there does
 * not go with this one. `env` is the CLI's: it names the engine where the address does not.
 */
export function clientVariables(address: EngineAddress, env: NodeJS.ProcessEnv): Record<string, string> {
  const own = address.dockerHost === "" ? env : {};
  const names = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];
  return {
    ...Object.fromEntries(names.map((name) => [name, own[name] ?? ""])),
    ...engineEnvironment(address),
  };
}

/** For people: "this machine's engine", "the engine at ssh://ops@gpu-host". */
export function engineName(address: EngineAddress): string {
  const host = engineHost(address);
  return address.dockerHost !== "" || isRemote(host) ? `the engine at ${host}` : "this machine's engine";
}
