import { isIP } from "node:net";
import { autoscalingRules } from "./autoscaling-rules.ts";
import { ingressRules } from "./ingress-rules.ts";
import { domainName, objectName } from "./kubernetes-keys.ts";
import { splitHostsLine } from "../hosts-line.ts";
import { gpuRules } from "./pod-gpu-rules.ts";
import { sourceKind } from "../models/model-source.ts";
import type { Rule } from "../rule.ts";
import { stateRules } from "./state-rules.ts";

const inCluster = (rule: Rule): Rule => ({
  ...rule,
  breaks: (config) => config.engine === "kubernetes" && rule.breaks(config),
});

/** Whether the API server accepts a line. Another rule rejects host-gateway. */
function isHostAlias(line: string): boolean {
  const { host, ip } = splitHostsLine(line);
  return domainName.test(host) && (ip === "host-gateway" || isIP(ip) > 0);
}

/** Rules for stacks on Kubernetes, besides the keys that they do not support. */
export const kubernetesRules: readonly Rule[] = [
  inCluster({
    breaks: ({ gatewayImage, imageRegistry }) => gatewayImage === "" && imageRegistry === "",
    path: "gatewayImage",
    message:
      "the gateway's image in a registry that the nodes pull from, while engine is kubernetes; npm run image -- --push NAME builds it",
  }),
  inCluster({
    breaks: ({ gatewayImage, imageRegistry }) => gatewayImage !== "" && imageRegistry !== "",
    path: "imageRegistry",
    message: "empty while gatewayImage names the image",
  }),
  inCluster({
    breaks: ({ gatewayApiKeys }) => gatewayApiKeys.length === 0,
    path: "gatewayApiKeys",
    message:
      "a list with a key from npm run new-key while engine is kubernetes, because every pod can reach the gateway",
  }),
  inCluster({
    breaks: ({ gatewayPort }) => gatewayPort === "auto",
    path: "gatewayPort",
    message: "a number while engine is kubernetes: it is the port of the Service",
  }),
  inCluster({
    breaks: ({ ollamaHosts }) => ollamaHosts.some((line) => line.endsWith(":host-gateway")),
    path: "ollamaHosts",
    message: "a list with addresses only while engine is kubernetes: a pod has no host-gateway",
  }),
  inCluster({
    breaks: ({ gatewayUsageVolume }) => !objectName.test(gatewayUsageVolume),
    path: "gatewayUsageVolume",
    message:
      "the name of a PersistentVolumeClaim while engine is kubernetes: lower-case letters, digits, '-' and '.'",
  }),
  inCluster({
    breaks: ({ ollamaHosts }) => ollamaHosts.some((line) => !isHostAlias(line)),
    path: "ollamaHosts",
    message:
      "a list of names of lower-case letters, digits, '-' and '.', each with a complete IP address, while engine is kubernetes",
  }),
  inCluster({
    breaks: ({ models }) => models.some(({ source = "" }) => sourceKind(source) === "path"),
    path: "models",
    message:
      "a list without local files while engine is kubernetes: the pods download their models themselves",
  }),
  inCluster({
    breaks: ({ retainModels, storageClass, modelHostPath }) =>
      retainModels && storageClass === "" && modelHostPath === "",
    path: "retainModels",
    message:
      "false while engine is kubernetes and storageClass is empty: the models are deleted with their pods",
  }),
  inCluster({
    breaks: ({ modelHostPath, storageClass }) => modelHostPath !== "" && storageClass !== "",
    path: "modelHostPath",
    message: "empty while storageClass provides volumes for the models",
  }),
  inCluster({
    breaks: ({ modelHostPath, retainModels }) => modelHostPath !== "" && !retainModels,
    path: "retainModels",
    message: "true while modelHostPath is set: models on the nodes' disks are never deleted",
  }),
  ...gpuRules.map(inCluster),
  ...ingressRules.map(inCluster),
  ...autoscalingRules.map(inCluster),
  ...stateRules.map(inCluster),
];
