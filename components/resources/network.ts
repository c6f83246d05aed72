import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { NeighbourAccess } from "../config/keys.ts";

export interface ServiceNetworkArgs {
  /** Name of the bridge network, unique on the host. A change replaces it and what is attached. */
  readonly networkName: string;
  /** Whether other hosts on the engine host's network reach the containers; used by the production policy. In place. */
  readonly neighbourAccess?: NeighbourAccess | undefined;
}

/** A network to join. Users of its plain name do not wait until it exists. */
export type NetworkToJoin = Pick<ServiceNetwork, "name" | "networkName">;

/** The bridge network on which the gateway finds Ollama by name. */
export class ServiceNetwork extends pulumi.ComponentResource {
  /** Its name, known from the start. */
  readonly name: string;
  /** The same, resolved once it exists. */
  readonly networkName: pulumi.Output<string>;

  constructor(name: string, args: ServiceNetworkArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ollama-stack:index:ServiceNetwork", name, args, opts);
    const network = new docker.Network(
      `${name}-bridge`,
      { name: args.networkName, driver: "bridge" },
      { parent: this, deleteBeforeReplace: true },
    );
    this.name = args.networkName;
    this.networkName = network.name;
    this.registerOutputs({ networkName: this.networkName });
  }
}
