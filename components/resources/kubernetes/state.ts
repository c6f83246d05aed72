import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { ParsedConfig } from "../../config/keys.ts";
import { madeSecret } from "../made-secret.ts";
import { stateDataMiB } from "../../config/kubernetes/state-rules.ts";
import { statePolicy } from "./network-policies.ts";
import { ClusterObject } from "./objects.ts";
import {
  containerSecurity,
  leavesLostNode,
  podSecurity,
  pullSecrets,
  resources,
  temporaryFolder,
} from "./pods.ts";

export const statePort = 6379;
const app = { app: "state" };
const secretName = "state";
const settingsFile = "valkey.conf";
const folder = "/etc/valkey";

/** The Secret's entry with the password. */
export const passwordKey = "password";

/** How gateways reach their shared state. */
export interface StateAccess {
  /** Value of SHARED_STATE. */
  readonly url: string;
  /** Name of the Secret with the password; empty for none. */
  readonly passwordSecret: string;
  /** Prefix of the stack's keys. */
  readonly prefix: string;
}

/** Access to the shared state; undefined if each gateway keeps its own. */
export function stateAccess(
  { state, stateAddress, statePasswordSecret }: ParsedConfig,
  namespace: string,
  clusterId = "",
): StateAccess | undefined {
  if (state === "memory") return undefined;
  // An external server may hold stacks of several clusters with equal namespace names.
  const stack = createHash("sha256").update(`${clusterId}/${namespace}`).digest("hex").slice(0, 16);
  const prefix = `ollama-stack:${stack}`;
  return stateAddress === ""
    ? { url: `redis://state:${String(statePort)}`, passwordSecret: secretName, prefix }
    : { url: stateAddress, passwordSecret: statePasswordSecret, prefix };
}

export interface StateArgs {
  readonly config: ParsedConfig;
  readonly namespace: string;
}

/**
 * The stack's own Valkey, without persistence: gateways rewrite their data or can lose it. Not a StatefulSet, which would not
 * replace the pod of a lost node.
 */
export class StatePods extends pulumi.ComponentResource {
  /** A hash of its password. */
  readonly passwordVersion: pulumi.Output<string>;

  constructor(name: string, { config, namespace }: StateArgs, opts: pulumi.ComponentResourceOptions) {
    super("ollama-stack:kubernetes:StatePods", name, {}, opts);
    const parent = { parent: this };
    const metadata = { name: "state", namespace };
    const password = madeSecret(`${name}-password`, "new-password.ts", parent);
    const settings = valkeySettings(config, password);
    this.passwordVersion = versionOf(password);
    const secret = new ClusterObject(
      "Secret",
      `${name}-secret`,
      { metadata: { name: secretName, namespace }, stringData: settings.files },
      parent,
    );
    new ClusterObject("NetworkPolicy", `${name}-access`, { metadata, spec: statePolicy(statePort) }, parent);
    const service = new ClusterObject(
      "Service",
      `${name}-service`,
      {
        // The provider would wait for endpoints, but the pod is created later.
        metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: { selector: app, ports: [{ name: "redis", port: statePort, targetPort: "redis" }] },
      },
      parent,
    );
    const timeout = `${String(config.readyTimeoutSeconds * 2)}s`;
    new ClusterObject(
      "Deployment",
      `${name}-pods`,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: app },
          // Two pods at a time would split the gateways between them.
          strategy: { type: "Recreate" },
          template: {
            metadata: { labels: app, annotations: { "ollama-stack/settings": settings.version } },
            spec: podOf(config),
          },
        },
      },
      {
        ...parent,
        dependsOn: [secret, service],
        customTimeouts: { create: timeout, update: timeout },
      },
    );
    this.registerOutputs({});
  }
}

/** The files of its Secret and their hash, because a pod reads them only at start. */
function valkeySettings(config: ParsedConfig, password: pulumi.Output<string>) {
  const lines = [
    `port ${String(statePort)}`,
    `maxmemory ${String(stateDataMiB(config))}mb`,
    "maxmemory-policy noeviction",
    'save ""',
    "appendonly no",
    "dir /data",
  ];
  const text = password.apply((word) => [...lines, `requirepass ${word}`, ""].join("\n"));
  return {
    files: { [settingsFile]: text, [passwordKey]: password },
    version: versionOf(text),
  };
}

/** A hash of a text that contains the password. Not secret, because the password is random. */
function versionOf(text: pulumi.Output<string>): pulumi.Output<string> {
  return pulumi.unsecret(text.apply((each) => createHash("sha256").update(each).digest("hex").slice(0, 16)));
}

function podOf(config: ParsedConfig) {
  // Needs no password and also works with Redis images. The gateways themselves notice a server that does not respond.
  const listens = { tcpSocket: { port: "redis" }, timeoutSeconds: 3 };
  return {
    ...podSecurity,
    ...leavesLostNode,
    ...pullSecrets(config),
    terminationGracePeriodSeconds: 5,
    containers: [
      {
        name: "valkey",
        image: config.stateImage,
        // The Valkey and Redis images start the server if the argument ends with .conf.
        args: [`${folder}/${settingsFile}`],
        ports: [{ name: "redis", containerPort: statePort }],
        startupProbe: { ...listens, periodSeconds: 1, failureThreshold: config.readyTimeoutSeconds },
        readinessProbe: { ...listens, periodSeconds: 2 },
        livenessProbe: { ...listens, periodSeconds: 10, failureThreshold: 3 },
        resources: resources({ memoryMiB: config.stateMemoryMiB, cpus: "" }),
        securityContext: containerSecurity,
        volumeMounts: [
          { name: "settings", mountPath: folder, readOnly: true },
          { name: "data", mountPath: "/data" },
        ],
      },
    ],
    volumes: [
      {
        name: "settings",
        secret: { secretName, items: [{ key: settingsFile, path: settingsFile }] },
      },
      temporaryFolder("data", 16),
    ],
  };
}
