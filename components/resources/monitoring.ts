import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import {
  configFile,
  configFolder,
  metricsKeyFile,
  prometheusConfig,
  rulesConfig,
  rulesFile,
  type ScrapeSettings,
} from "../../monitoring/prometheus-files.ts";
import { publishedUrl, serviceUrl } from "../../engine/connection.ts";
import type { StackConfig } from "../config/keys.ts";
import { pulledImage } from "./container/pulled-image.ts";
import { readyAt, serviceContainer, type ServiceArgs } from "./container/service-container.ts";

export interface MonitoringArgs extends Omit<ScrapeSettings, "self">, ServiceArgs {
  /** Image of Prometheus. A change replaces the container and keeps the data. */
  readonly image: string;
  /** Platform of the image; empty means the engine's own. A change replaces image and container. */
  readonly platform: string;
  /** Image with Node.js that the engine has, for writing files. */
  readonly toolImage: pulumi.Input<string>;
  /** Port on the loopback of the engine's host. A change replaces the container. */
  readonly port: number;
  /** Maximum size of the data in MiB; the oldest is deleted first. A change replaces the container. */
  readonly retentionMiB: number;
  /** Key for the gateways' metrics. Changed in place. */
  readonly metricsKey: pulumi.Input<string>;
}

const bindAddress = "127.0.0.1";
const dataFolder = "/prometheus";
const host = "prometheus";
const port = 9090;
// The user nobody, who owns the data folder in the official image.
const user = "65534:65534";

/** Prometheus, which scrapes every gateway and evaluates the alerts. Rules and targets change in place. */
export class Monitoring extends pulumi.ComponentResource {
  readonly containerName: pulumi.Output<string>;
  /** The published URL as seen from the engine's host. Resolves once it is ready. */
  readonly url: pulumi.Output<string>;
  /** Its address on the network. */
  readonly internal = { host, port };

  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    // An unknown input of a component would delay all its children.
    const { network, toolImage, metricsKey, ...known } = args;
    super("ollama-stack:index:Monitoring", name, { ...known, networkName: network.name }, opts);
    const image = pulledImage(`${name}-image`, args.image, args.platform, { parent: this });
    const volumeOf = (what: string) =>
      new docker.Volume(`${name}-${what}`, { name: `${args.containerName}-${what}` }, { parent: this });
    const [data, config] = [volumeOf("data"), volumeOf("config")];
    const files = pulumi.secret(metricsKey).apply((key) =>
      JSON.stringify({
        [configFile]: prometheusConfig({ ...args, self: `${host}:${String(port)}` }),
        [rulesFile]: rulesConfig(args),
        [metricsKeyFile]: key,
      }),
    );
    const written = new command.local.Command(
      `${name}-files`,
      {
        create: "node components/commands/write-monitoring.ts",
        stdin: files,
        environment: {
          ...args.access.environment,
          MONITORING_VOLUME: config.name,
          MONITORING_IMAGE: toolImage,
          MONITORING_CONTAINER: args.containerName,
        },
        triggers: [config.id],
        addPreviousOutputInEnv: false,
      },
      { parent: this },
    );
    const url = publishedUrl(args.access, bindAddress, args.port);
    const { container, ready } = serviceContainer(
      name,
      {
        name: args.containerName,
        image: image.imageId,
        command: [
          `--config.file=${configFolder}/${configFile}`,
          `--storage.tsdb.path=${dataFolder}`,
          `--storage.tsdb.retention.size=${String(args.retentionMiB)}MB`,
          // For the metric of npm run drift.
          "--web.enable-otlp-receiver",
        ],
        environment: {},
        network: { name: network.networkName, aliases: [host] },
        port: { internal: port, external: args.port, address: bindAddress },
        volumes: [
          { name: data.name, path: dataFolder },
          { name: config.name, path: configFolder, readOnly: true },
        ],
        trust: args.trust,
        user,
        ready: readyAt(`${serviceUrl(args.access, { published: url, host, port })}/-/ready`),
        readyTimeoutSeconds: args.readyTimeoutSeconds,
        stopGraceSeconds: 30,
        limits: args.limits,
        access: args.access,
      },
      this,
      [written],
    );
    this.containerName = container.name;
    this.url = ready.id.apply(() => url);
    this.registerOutputs({ containerName: this.containerName, url: this.url });
  }
}

/** Maps the config to the component's arguments. */
export function monitoringSettings(config: StackConfig) {
  return {
    image: config.prometheusImage,
    port: config.prometheusPort,
    retentionMiB: config.prometheusRetentionMiB,
    alertmanagers: config.alertmanagers,
    objectiveFirstTokenSeconds: config.objectiveFirstTokenSeconds,
    objectiveAvailability: config.objectiveAvailability,
    alertAfterSeconds: config.alertAfterSeconds,
    scrapeSeconds: config.prometheusScrapeSeconds,
    ollamaMemoryBytes: config.ollamaMemoryMiB * 1024 * 1024,
    hasGpus: config.gpus !== "none",
    runbooks: config.runbooks,
    limits: {
      memoryMiB: config.prometheusMemoryMiB,
      cpus: config.prometheusCpus,
      pids: config.prometheusPids,
    },
  };
}
