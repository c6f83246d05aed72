import * as pulumi from "@pulumi/pulumi";
import { readConfig } from "./components/config.ts";
import { Gateway } from "./components/gateway.ts";
import { declareModels } from "./components/models/declare.ts";
import { planModels } from "./components/models/plan.ts";
import { ServiceNetwork } from "./components/network.ts";
import { modelServer, OllamaServer } from "./components/ollama-server.ts";
import { checkHost, refuse } from "./components/preflight.ts";

const prefix = `${pulumi.getProject()}-${pulumi.getStack()}`;
const names = { ollama: `${prefix}-ollama`, gateway: `${prefix}-gateway` };

const config = refuse(readConfig);
await checkHost(config, names);
const plan = await planModels(config, modelServer(config, names.ollama));

const network = new ServiceNetwork("network", {
  networkName: config.networkName === "" ? `ollama_network_${pulumi.getStack()}` : config.networkName,
});

const server = new OllamaServer("ollama", {
  image: config.ollamaImage,
  platform: config.imagePlatform,
  containerName: names.ollama,
  networkName: network.networkName,
  bindAddress: config.ollamaBindAddress,
  port: config.ollamaPort,
  hosts: config.ollamaHosts,
  parallel: config.ollamaParallel,
  contextLength: config.ollamaContextLength,
  keepAlive: config.ollamaKeepAlive,
  retainModels: config.retainModels,
  protectModels: config.protectModels,
  readyTimeoutSeconds: config.readyTimeoutSeconds,
  limits: { memoryMiB: config.ollamaMemoryMiB, cpus: config.ollamaCpus, pids: config.ollamaPids },
});

const models = declareModels(plan, {
  serverUrl: server.url,
  retain: config.retainModels,
  stallSeconds: config.pullStallSeconds,
});

const gateway = new Gateway(
  "gateway",
  {
    projectRoot: import.meta.dirname,
    baseImage: config.gatewayBaseImage,
    platform: config.imagePlatform,
    containerName: names.gateway,
    networkName: network.networkName,
    backend: { ...server.internal, parallel: config.ollamaParallel },
    models: plan.map(({ name }) => name),
    bindAddress: config.gatewayBindAddress,
    port: config.gatewayPort,
    apiKeys: pulumi.secret(config.gatewayApiKeys),
    logLevel: config.gatewayLogLevel,
    readyTimeoutSeconds: config.readyTimeoutSeconds,
    limits: { memoryMiB: config.gatewayMemoryMiB, cpus: config.gatewayCpus, pids: config.gatewayPids },
  },
  { dependsOn: models },
);

export const gatewayUrl = gateway.url;
export const keysRequired = config.gatewayApiKeys.length > 0;
export const ollamaUrl = server.url;
export const networkName = network.networkName;
export const containers = { ollama: server.containerName, gateway: gateway.containerName };
export const volumes = { models: server.volumeName };
export const images = { ollama: server.imageId, gateway: gateway.imageId };
export const installedModels = models.map(({ model, digest, sizeBytes }) => ({ model, digest, sizeBytes }));
