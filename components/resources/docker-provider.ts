import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { type EngineAddress, engineProvider } from "../../engine/docker-cli.ts";

/**
 * Deploys all containers, networks, volumes and images declared from now on to the configured engine. This is done in one
 * place because a forgotten resource would end up on this machine. Without configuration, the provider uses the
 * environment's engine. Deployed resources do not follow a changed address; npm run up rejects that.
 */
export function deployTo({ dockerHost, dockerCertPath }: EngineAddress): void {
  if (dockerHost === "") return;
  const tls = dockerCertPath === "" ? {} : { certPath: dockerCertPath };
  const provider = new docker.Provider(engineProvider, { host: dockerHost, ...tls });
  pulumi.runtime.registerStackTransformation(({ type, props, opts }) =>
    type.startsWith("docker:") ? { props, opts: pulumi.mergeOptions(opts, { provider }) } : undefined,
  );
}
