import * as pulumi from "@pulumi/pulumi";
import { connectionTo, connectionToOllama, tunnelOutput } from "../../../engine/connection.ts";
import { reportConfigErrors } from "../../config/config-error.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { deployTo } from "../docker-provider.ts";
import { labelObjects } from "../object-labels.ts";
import { createIngress, drainOf, edgeImage, gatewayExposure } from "../ingress.ts";
import { Gateway } from "../gateway.ts";
import { newMetricsKey } from "../metrics-key.ts";
import { Monitoring, monitoringSettings } from "../monitoring.ts";
import { planGpus } from "../../planning/gpus/plan.ts";
import { declareModels } from "../models.ts";
import { planModels } from "../../planning/models/plan.ts";
import { stackNames } from "../../../engine/names.ts";
import { certificatesVersion } from "../../planning/edge-files.ts";
import { ollamaVariables } from "../ollama-variables.ts";
import { findTrustedCertificates } from "../../planning/trusted-certificates.ts";
import { requireVolumes } from "../../planning/required-volumes.ts";
import { ServiceNetwork } from "../network.ts";
import { modelServer, OllamaServer } from "../ollama-server.ts";
import { checkHost } from "../../planning/ports/preflight.ts";

/** Declares a stack on a Docker engine, and returns its outputs. */
export async function deployStack(parsed: ParsedConfig, projectRoot: string) {
  const names = stackNames(pulumi.getStack(), parsed);
  const { config, engine } = await checkHost(parsed, names);
  const gpus = planGpus(config, engine);
  deployTo(config);
  labelObjects();
  await requireVolumes(config, names.ollama);
  const certificates = await reportConfigErrors(() => certificatesVersion(config));
  const trust = await reportConfigErrors(() => findTrustedCertificates(config));
  const [access, toOllama] = [connectionTo(config, names.network), connectionToOllama(config, names.network)];
  const planned = modelServer(config, engine, toOllama, names.ollama);
  const plan = await planModels(config, toOllama, planned);

  const { imagePlatform: platform, readyTimeoutSeconds, neighbourAccess } = config;
  const network = new ServiceNetwork("network", { networkName: names.network, neighbourAccess });
  const shared = { access, network, platform, readyTimeoutSeconds, trust };
  const serving = { parallel: config.ollamaParallel, keepAlive: config.ollamaKeepAlive };
  const edgeImages = edgeImage(config);
  const server = new OllamaServer("ollama", {
    image: config.ollamaImage,
    ...shared,
    access: toOllama,
    replicas: config.ollamaReplicas,
    drain: drainOf(config, names),
    containerName: names.ollama,
    bindAddress: config.ollamaBindAddress,
    port: config.ollamaPort,
    hosts: config.ollamaHosts,
    environment: ollamaVariables(config),
    contextLength: config.ollamaContextLength,
    ...serving,
    gpus,
    modelVolume: config.modelVolume,
    retainModels: config.retainModels,
    protectModels: config.protectModels,
    limits: { memoryMiB: config.ollamaMemoryMiB, cpus: config.ollamaCpus, pids: config.ollamaPids },
  });

  const models = declareModels(plan, {
    access: toOllama,
    serverUrl: server.readyAddress,
    server: { container: names.ollama, volume: planned.volume.name },
    config,
  });

  const metricsKey = config.monitoring === "none" ? undefined : newMetricsKey();
  const gateway = new Gateway("gateway", {
    projectRoot,
    baseImage: config.gatewayBaseImage,
    ...shared,
    replicas: config.gatewayReplicas,
    containerName: names.gateway,
    servers: server.hosts,
    ...serving,
    ...gatewayExposure(config, names),
    models: plan.map(({ name }) => name),
    keepLoaded: plan.flatMap(({ name, keepLoaded }) => (keepLoaded ? name : [])),
    ...(config.gatewayApiKeys.length === 0 ? {} : { apiKeys: pulumi.secret(config.gatewayApiKeys) }),
    usageVolume: config.gatewayUsageVolume,
    console: config.console,
    objectiveFirstTokenSeconds: config.objectiveFirstTokenSeconds,
    metricsKeyDigest: metricsKey?.digest,
    logLevel: config.gatewayLogLevel,
    environment: config.gatewayEnvironment,
    limits: { memoryMiB: config.gatewayMemoryMiB, cpus: config.gatewayCpus, pids: config.gatewayPids },
    after: [...models, ...server.gpuMemoryCheck(models), ...edgeImages],
  });

  const monitoring =
    metricsKey === undefined
      ? undefined
      : new Monitoring(
          "prometheus",
          {
            ...monitoringSettings(config),
            ...shared,
            containerName: names.prometheus,
            gateways: gateway.hosts.map(({ host, port }) => `${host}:${String(port)}`),
            metricsKey: metricsKey.key,
            toolImage: gateway.baseImageId,
          },
          { dependsOn: gateway },
        );

  return {
    ...createIngress(config, gateway, {
      ...shared,
      connection: access,
      containerName: names.edge,
      certificatesVersion: certificates,
      images: edgeImages,
    }),
    ...tunnelOutput({ access, ...gateway.internal }, { access: toOllama, ...server.internal }),
    ...(monitoring === undefined
      ? {}
      : { prometheusUrl: monitoring.url, prometheus: { container: monitoring.containerName } }),
    keysRequired: config.gatewayApiKeys.length > 0,
    ollamaUrl: server.url,
    networkName: network.networkName,
    containers: { ollama: server.containerName, gateway: gateway.containerName },
    replicas: { ollama: server.containerNames, gateway: gateway.containerNames },
    volumes: { models: server.volumeName },
    images: { ollama: server.imageId, gateway: gateway.imageId },
    installedModels: models.map(({ model, digest, sizeBytes }) => ({ model, digest, sizeBytes })),
  };
}
