import type { ParsedConfig } from "../keys.ts";
import type { Rule } from "../rule.ts";

// External access to the gateway must be configured completely or not at all.

/** Annotations that reference a certificate stored in a cloud's load balancer. */
const cloudCertificates = ["alb.ingress.kubernetes.io/certificate-arn"];

const hasClass = ({ ingressClass, gatewayClass }: ParsedConfig) => ingressClass !== "" || gatewayClass !== "";
const hasCloudCertificate = ({ ingressClass, ingressAnnotations }: ParsedConfig) =>
  ingressClass !== "" && cloudCertificates.some((name) => name in ingressAnnotations);

export const ingressRules: readonly Rule[] = [
  {
    breaks: ({ ingressClass, gatewayClass }) => ingressClass !== "" && gatewayClass !== "",
    path: "gatewayClass",
    message: "empty while ingressClass is set: only one of the two can be used",
  },
  {
    breaks: (config) => hasClass(config) && config.ingressHostnames.length === 0,
    path: "ingressHostnames",
    message: `the names that clients use, while ingressClass or gatewayClass is set; such as '["llm.example.org"]'`,
  },
  {
    breaks: (config) => hasClass(config) && config.ingressTlsSecret === "" && !hasCloudCertificate(config),
    path: "ingressTlsSecret",
    message:
      "the name of a Secret with the certificate, while ingressClass or gatewayClass is set: API keys must not be sent in clear text",
  },
  {
    breaks: (config) => !hasClass(config) && config.ingressHostnames.length > 0,
    path: "ingressHostnames",
    message: "empty while neither ingressClass nor gatewayClass is set",
  },
  {
    breaks: (config) => !hasClass(config) && config.ingressTlsSecret !== "",
    path: "ingressTlsSecret",
    message: "empty while neither ingressClass nor gatewayClass is set",
  },
  {
    breaks: (config) => !hasClass(config) && Object.keys(config.ingressAnnotations).length > 0,
    path: "ingressAnnotations",
    message: "empty while neither ingressClass nor gatewayClass is set",
  },
];
