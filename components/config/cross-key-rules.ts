import { hasTls, isNamed } from "./edge-modes.ts";
import { engineRules } from "./engine-keys.ts";
import { kubernetesRules } from "./kubernetes/kubernetes-rules.ts";
import type { Rule } from "./rule.ts";

// Rules that involve several keys. The messages complete the sentence "KEY is VALUE, but must be ...".

export const rules: readonly Rule[] = [
  ...engineRules,
  ...kubernetesRules,
  {
    breaks: ({ gatewayBindAddress, gatewayApiKeys }) =>
      !isLoopback(gatewayBindAddress) && gatewayApiKeys.length === 0,
    path: "gatewayBindAddress",
    message:
      "a loopback address while gatewayApiKeys is empty, because anyone on the network could use the gateway",
  },
  {
    breaks: ({ production, gatewayEnvironment }) => production && gatewayEnvironment.LOG_TEXT === "on",
    path: "gatewayEnvironment",
    inside: "LOG_TEXT",
    message: "off while production is true: prompts and responses would be in the log",
  },
  {
    breaks: ({ retainModels, protectModels }) => protectModels && !retainModels,
    path: "protectModels",
    message: "false while retainModels is false",
  },
  {
    breaks: ({ modelVolume, protectModels }) => protectModels && modelVolume !== "",
    path: "protectModels",
    message: "false while modelVolume names a volume: the stack does not manage that volume",
  },
  {
    breaks: ({ dockerHost, dockerCertPath }) => dockerHost.startsWith("tcp:") && dockerCertPath === "",
    path: "dockerCertPath",
    message:
      "the folder of ca.pem, cert.pem and key.pem while dockerHost is tcp: without TLS, anyone who reaches the engine controls its host",
  },
  {
    breaks: ({ dockerHost, dockerCertPath }) => !dockerHost.startsWith("tcp:") && dockerCertPath !== "",
    path: "dockerCertPath",
    message: "empty unless dockerHost is tcp://host:port",
  },
  {
    breaks: ({ engine, edge, gatewayReplicas }) =>
      engine === "docker" && edge === "none" && gatewayReplicas > 1,
    path: "gatewayReplicas",
    message: "1 while edge is none: two containers cannot publish the same port",
  },
  {
    breaks: ({ edge, edgeHostnames }) => edge !== "none" && isNamed(edge) && edgeHostnames.length === 0,
    path: "edgeHostnames",
    message: `the names that clients use, while edge is certificate or acme; such as '["llm.example.org"]'`,
  },
  {
    breaks: ({ edge, edgeHostnames }) => (edge === "none" || !hasTls(edge)) && edgeHostnames.length > 0,
    path: "edgeHostnames",
    message: "empty while edge is none or http",
  },
  {
    breaks: ({ edge, edgeCertificates }) => (edge === "none" || !isNamed(edge)) && edgeCertificates !== "",
    path: "edgeCertificates",
    message: "empty unless edge is certificate or acme",
  },
  {
    breaks: ({ edge, edgeCertificates }) => edge === "certificate" && edgeCertificates === "",
    path: "edgeCertificates",
    message: "the folder of cert.pem and key.pem while edge is certificate",
  },
  {
    breaks: ({ edge, edgeAcmeDirectory }) => edge !== "acme" && edgeAcmeDirectory !== "",
    path: "edgeAcmeDirectory",
    message: "empty unless edge is acme",
  },
  {
    breaks: ({ edge, edgeAcmeEmail }) => edge !== "acme" && edgeAcmeEmail !== "",
    path: "edgeAcmeEmail",
    message: "empty unless edge is acme",
  },
  {
    breaks: ({ edge, edgeAcmeDirectory, gatewayPort }) =>
      edge === "acme" && edgeAcmeDirectory === "" && gatewayPort !== 443,
    path: "gatewayPort",
    message: "443 while edge is acme: public authorities validate host names on that port",
  },
  {
    breaks: ({ ollamaPort, gatewayPort }) => ollamaPort !== "auto" && ollamaPort === gatewayPort,
    path: "gatewayPort",
    message: "different from ollamaPort",
  },
  {
    breaks: ({ monitoring, prometheusPort, ollamaPort, gatewayPort }) =>
      monitoring !== "none" &&
      prometheusPort !== "auto" &&
      (prometheusPort === ollamaPort || prometheusPort === gatewayPort),
    path: "prometheusPort",
    message: "different from ollamaPort and gatewayPort",
  },
];

function isLoopback(text: string): boolean {
  return text.startsWith("127.") || text === "::1";
}
