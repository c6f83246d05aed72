import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { DEFAULT_PORT, variables, type VariableName } from "../gateway/src/config.ts";
import { type Access, publishedUrl, serviceUrl } from "./access.ts";
import { bundleGateway, gatewayContext } from "./gateway-bundle.ts";
import { serviceContainer, type ContainerLimits } from "./service-container.ts";

export interface GatewayArgs {
  /** Folder of the project, which holds the gateway's sources. */
  readonly projectRoot: string;
  /** Image with Node 24 to build on. A change rebuilds the image and replaces the container. */
  readonly baseImage: string;
  /** Platform of the images; empty means the engine's own. A change replaces image and container. */
  readonly platform: string;
  /** Name of the container and, with a hash of its content as tag, of the image. A change replaces both. */
  readonly containerName: string;
  /** Network to join, under the alias `gateway`. A change replaces the container. */
  readonly networkName: pulumi.Input<string>;
  /** Where Ollama answers on that network, and how many requests it runs at once. A change replaces the container. */
  readonly backend: { readonly host: string; readonly port: number; readonly parallel: number };
  /** Models that must be there; the first is the default. A change replaces the container. */
  readonly models: readonly string[];
  /** Those of them that are loaded before anybody asks, and stay so. A change replaces the container. */
  readonly keepLoaded: readonly string[];
  /** Host address that the port is published at. A change replaces the container. */
  readonly bindAddress: string;
  /** Host port. A change replaces the container. */
  readonly port: number;
  /** Lines of API keys by digest, in the gateway's form; none means that everybody is let in. A change replaces it. */
  readonly apiKeys: pulumi.Input<readonly string[]>;
  /** Lowest level that is logged. A change replaces the container. */
  readonly logLevel: string;
  /** Seconds until an update gives up waiting for the gateway. */
  readonly readyTimeoutSeconds: number;
  readonly limits: ContainerLimits;
  /** How commands reach it. */
  readonly access: Access;
}

// Beyond the time that the gateway gives to requests in flight, the engine leaves it this long to close.
const stopMarginSeconds = 5;

/** The OpenAI-compatible gateway: its image, built from this repository, and its container. */
export class Gateway extends pulumi.ComponentResource {
  readonly containerName: pulumi.Output<string>;
  readonly imageName: pulumi.Output<string>;
  readonly imageId: pulumi.Output<string>;
  /** Where its port is published, seen from the engine's host. Known only once it is ready. */
  readonly url: pulumi.Output<string>;
  /** Where it answers on the network. */
  readonly internal = { host: "gateway", port: DEFAULT_PORT };

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ollama-stack:index:Gateway", name, args, opts);
    const platform = args.platform === "" ? {} : { platform: args.platform };
    const base = new docker.RemoteImage(
      `${name}-base-image`,
      { name: args.baseImage, keepLocally: true, ...platform },
      { parent: this },
    );
    const bundle = bundleGateway(args.projectRoot);
    // The tag says what the image is made of: a new content is a new image, and the old one goes after its container.
    const tag = base.imageId.apply((id) =>
      createHash("sha256").update(`${bundle} ${id}`).digest("hex").slice(0, 16),
    );
    const image = new docker.RemoteImage(
      `${name}-image`,
      {
        name: pulumi.interpolate`${args.containerName}:${tag}`,
        build: {
          context: gatewayContext,
          buildArgs: { BASE_IMAGE: args.baseImage },
          ...platform,
          // The other one builds on the environment's engine, whatever the provider was told, and knows no TLS.
          ...(args.access.remote === undefined ? {} : { useLegacyBuilder: true }),
        },
        triggers: { content: tag },
        keepLocally: true,
        ...platform,
      },
      { parent: this },
    );
    // Deletes the image in place of the provider, once nothing uses it.
    const disposal = new command.local.Command(
      `${name}-image-disposal`,
      {
        delete: "node components/commands/remove-image.ts",
        environment: { ...args.access.environment, IMAGE: image.name },
        triggers: [image.name],
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    const url = publishedUrl(args.access, args.bindAddress, args.port);
    const environment = {
      HOST: "0.0.0.0",
      PORT: String(DEFAULT_PORT),
      LLM_SERVICE_HOST_IP: args.backend.host,
      LLM_SERVICE_PORT: String(args.backend.port),
      OLLAMA_NUM_PARALLEL: String(args.backend.parallel),
      LLM_MODEL_ID: args.models[0] ?? "",
      REQUIRED_MODELS: args.models.join(","),
      KEEP_LOADED_MODELS: args.keepLoaded.join(","),
      API_KEYS: pulumi.output(args.apiKeys).apply((lines) => lines.join(";")),
      LOG_LEVEL: args.logLevel,
    } satisfies Partial<Record<VariableName, pulumi.Input<string>>>;
    const { container, ready } = serviceContainer(
      name,
      {
        name: args.containerName,
        image: image.imageId,
        environment,
        network: { name: args.networkName, alias: this.internal.host },
        port: { internal: DEFAULT_PORT, external: args.port, address: args.bindAddress },
        user: "65532:65532",
        healthCommand: ["node", "/app/healthcheck.cjs"],
        readyUrl: `${serviceUrl(args.access, { published: url, ...this.internal })}/ready`,
        readyTimeoutSeconds: args.readyTimeoutSeconds,
        stopGraceSeconds: Number(variables.SHUTDOWN_TIMEOUT_MS.default) / 1000 + stopMarginSeconds,
        limits: args.limits,
        access: args.access,
      },
      this,
      [disposal],
    );
    this.containerName = container.name;
    this.imageName = image.name;
    this.imageId = image.imageId;
    this.url = ready.id.apply(() => url);
    this.registerOutputs({
      containerName: this.containerName,
      imageName: this.imageName,
      imageId: this.imageId,
      url: this.url,
    });
  }
}
