import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type EngineAddress, engineProvider } from "../../engine/docker-cli.ts";

/**
 * Puts every container, network, volume and image that is declared after this on the engine that the config names: one
 * that was forgotten would land on this machine, so it is done in one place for all. Without such a config the provider
 * finds the environment's engine by itself. What is deployed does not move with the address: npm run up refuses that.
 */
export function deployTo({ dockerHost, dockerCertPath }: EngineAddress): void {
  if (dockerHost === "") return;
  const tls = dockerCertPath === "" ? {} : { certPath: dockerCertPath };
  const provider = new docker.Provider(engineProvider, { host: dockerHost, ...tls });
  pulumi.runtime.registerStackTransformation(({ type, props, opts }) =>
    type.startsWith("docker:") ? { props, opts: pulumi.mergeOptions(opts, { provider }) } : undefined,
  );
}
