import type { GivenConfig } from "../keys.ts";
import type { Rule } from "../rule.ts";

// What leads from outside a cluster to the gateway, complete or not at all.

/** Annotations that name a certificate which a cloud's load balancer holds itself. */
const cloudCertificates = ["alb.ingress.kubernetes.io/certificate-arn"];

const hasClass = ({ ingressClass, gatewayClass }: GivenConfig) => ingressClass !== "" || gatewayClass !== "";
const hasCloudCertificate = ({ ingressClass, ingressAnnotations }: GivenConfig) =>
  ingressClass !== "" && cloudCertificates.some((name) => name in ingressAnnotations);

export const ingressRules: readonly Rule[] = [
  {
    breaks: ({ ingressClass, gatewayClass }) => ingressClass !== "" && gatewayClass !== "",
    path: "gatewayClass",
    message: "empty while ingressClass is set: one of them leads to the gateway",
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
      "the name of a Secret with the certificate, while ingressClass or gatewayClass is set: keys do not travel in clear text",
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
