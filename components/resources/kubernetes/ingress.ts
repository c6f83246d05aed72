import * as pulumi from "@pulumi/pulumi";
import { readConfig } from "../../../gateway/src/config/config.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { gatewaySettings } from "./gateway-settings.ts";
import { ClusterObject } from "./objects.ts";

export interface OutsideAccessArgs {
  readonly config: ParsedConfig;
  readonly namespace: string;
  /** The port of the Service `gateway`. */
  readonly port: number;
}

// The maximum of AWS' load balancer.
const maxIdleSeconds = 4000;

// The controller and the certificate may not exist yet; the stack does not wait for them.
const unawaited = { "pulumi.com/skipAwait": "true" };

/** Access from outside the cluster with TLS and a host name: an Ingress, or a Gateway with a route. */
export class OutsideAccess extends pulumi.ComponentResource {
  constructor(name: string, args: OutsideAccessArgs, opts: pulumi.ComponentResourceOptions) {
    super("ollama-stack:kubernetes:OutsideAccess", name, {}, opts);
    const { config, namespace } = args;
    const parent = { parent: this };
    const metadata = (annotations: Readonly<Record<string, string>>) => ({
      name: "gateway",
      namespace,
      annotations: { ...unawaited, ...annotations },
    });
    if (config.ingressClass !== "") {
      const annotations = { ...streaming(config), ...config.ingressAnnotations };
      new ClusterObject(
        "Ingress",
        `${name}-ingress`,
        { metadata: metadata(annotations), spec: ingress(args) },
        parent,
      );
    } else {
      const listening = new ClusterObject(
        "Gateway",
        `${name}-gateway`,
        { metadata: metadata(config.ingressAnnotations), spec: listeners(config) },
        parent,
      );
      new ClusterObject(
        "HTTPRoute",
        `${name}-route`,
        { metadata: metadata({}), spec: route(args) },
        { ...parent, dependsOn: listening },
      );
    }
    this.registerOutputs({});
  }
}

/** The maximum seconds without data in a response: waiting in the queue, loading the model, generating. */
function silentSeconds(config: ParsedConfig): number {
  const { QUEUE_TIMEOUT_MS, LOAD_TIMEOUT_MS, ANSWER_TIMEOUT_MS, FIRST_TOKEN_TIMEOUT_MS } = readConfig(
    gatewaySettings(config),
  );
  const longest = Math.max(ANSWER_TIMEOUT_MS, FIRST_TOKEN_TIMEOUT_MS);
  return Math.ceil((QUEUE_TIMEOUT_MS + LOAD_TIMEOUT_MS + longest) / 1000);
}

/**
 * Annotations that allow event streams and large requests. Each controller reads only its own annotations. The gateway
 * itself limits the size and duration of requests.
 */
function streaming(config: ParsedConfig): Readonly<Record<string, string>> {
  const seconds = silentSeconds(config);
  const time = `${String(seconds)}s`;
  return {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": String(seconds),
    "nginx.ingress.kubernetes.io/proxy-send-timeout": String(seconds),
    "nginx.ingress.kubernetes.io/proxy-body-size": "0",
    "nginx.ingress.kubernetes.io/proxy-buffering": "off",
    "nginx.ingress.kubernetes.io/proxy-request-buffering": "off",
    "nginx.org/proxy-read-timeout": time,
    "nginx.org/proxy-send-timeout": time,
    "nginx.org/client-max-body-size": "0",
    "nginx.org/proxy-buffering": "False",
    "haproxy.org/timeout-server": time,
    "haproxy-ingress.github.io/timeout-server": time,
    "alb.ingress.kubernetes.io/target-type": "ip",
    "alb.ingress.kubernetes.io/healthcheck-path": "/accepting",
    "alb.ingress.kubernetes.io/load-balancer-attributes": `idle_timeout.timeout_seconds=${String(Math.min(seconds, maxIdleSeconds))}`,
  };
}

function ingress({ config, port }: OutsideAccessArgs) {
  const { ingressClass, ingressHostnames, ingressTlsSecret } = config;
  const backend = { service: { name: "gateway", port: { number: port } } };
  return {
    ingressClassName: ingressClass,
    ...(ingressTlsSecret === "" ? {} : { tls: [{ hosts: ingressHostnames, secretName: ingressTlsSecret }] }),
    rules: ingressHostnames.map((host) => ({
      host,
      http: { paths: [{ path: "/", pathType: "Prefix", backend }] },
    })),
  };
}

function listeners({ gatewayClass, ingressHostnames, ingressTlsSecret }: ParsedConfig) {
  return {
    gatewayClassName: gatewayClass,
    listeners: ingressHostnames.map((hostname, i) => ({
      name: `https-${String(i)}`,
      hostname,
      port: 443,
      protocol: "HTTPS",
      tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: ingressTlsSecret }] },
      allowedRoutes: { namespaces: { from: "Same" } },
    })),
  };
}

function route({ config, port }: OutsideAccessArgs) {
  return {
    parentRefs: [{ name: "gateway" }],
    hostnames: config.ingressHostnames,
    rules: [
      {
        matches: [{ path: { type: "PathPrefix", value: "/" } }],
        backendRefs: [{ name: "gateway", port }],
        // None, because the gateway has its own timeouts.
        timeouts: { request: "0s", backendRequest: "0s" },
      },
    ],
  };
}
