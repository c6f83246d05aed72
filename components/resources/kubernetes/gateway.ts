import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { DEFAULT_PORT, readConfig } from "../../../gateway/src/config/config.ts";
import type { GatewayEnvironment, ProgramVariable } from "../../config/gateway-environment.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { keyWarnings } from "../../config/common-passwords.ts";
import { hasSeveralGateways, hasStandbys, isGatewayScaled } from "../../config/kubernetes/gateway-count.ts";
import { gatewaySettings } from "./gateway-settings.ts";
import { gatewayPolicy } from "./network-policies.ts";
import { ClusterObject } from "./objects.ts";
import { ollamaPort } from "./ollama.ts";
import { standbyAccount, standbyPod } from "./standby.ts";
import { passwordKey, type StateAccess, statePort } from "./state.ts";
import {
  containerSecurity,
  leavesLostNode,
  podSecurity,
  pullSecrets,
  resources,
  temporaryFolder,
  variables,
} from "./pods.ts";

const app = { app: "gateway" };

// A pod that is going still gets requests until every node has removed it from the Service.
const serviceUpdateSeconds = 5;
// Beyond the time that the gateway gives to requests in flight, it is left this long to close.
const stopMarginSeconds = 5;

// A gateway that hands over tries for 10 s to give its Lease up, waits 10 s for another one to take over, and at most 16 s
// for the API server's last responses to each.
const handOverSeconds = 36;

const keyFile = "api-keys";
const usageFolder = "/usage";
const stateFolder = "/state";

export interface GatewayPodsArgs {
  readonly config: ParsedConfig;
  readonly namespace: string;
  /** Where Ollama's servers are, as LLM_BACKENDS has it. */
  readonly servers: string;
  /** What commands of an update find the cluster by. */
  readonly environment: Readonly<Record<string, string>>;
  /** Port of its Service. */
  readonly port: number;
  /** What several have in common; undefined: there is one. */
  readonly state: StateAccess | undefined;
  /** A change replaces the pods, which have the password of the stack's own Valkey from their start on. */
  readonly statePassword?: pulumi.Input<string> | undefined;
  /** SHA-256 of a key that may read the metrics. */
  readonly metricsKeyDigest?: pulumi.Input<string> | undefined;
}

/** The gateway on Kubernetes: pods that are replaced without a gap, behind a Service. */
export class GatewayPods extends pulumi.ComponentResource {
  /** Inside the cluster. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: GatewayPodsArgs, opts: pulumi.ComponentResourceOptions) {
    super("ollama-stack:kubernetes:GatewayPods", name, {}, opts);
    const { config, namespace, port } = args;
    const metadata = { name: "gateway", namespace };
    const keys = pulumi.secret(config.gatewayApiKeys);
    keys.apply(async (lines) => {
      for (const warning of await keyWarnings(lines)) await pulumi.log.warn(warning, this);
    });
    const secret = new ClusterObject(
      "Secret",
      `${name}-keys`,
      {
        metadata: { name: "gateway-keys", namespace },
        stringData: { [keyFile]: keys.apply((lines) => `${lines.join("\n")}\n`) },
      },
      { parent: this },
    );
    const account = hasStandbys(config) ? standbyAccount(namespace, { parent: this }) : [];
    const deployment = new ClusterObject(
      "Deployment",
      `${name}-pods`,
      {
        metadata,
        spec: {
          // With an autoscaler, an update leaves the number of pods as that set it.
          ...(isGatewayScaled(config) ? {} : { replicas: config.gatewayReplicas }),
          selector: { matchLabels: app },
          strategy: strategy(config),
          template: { metadata: podMetadata(args), spec: podOf(args) },
        },
      },
      {
        parent: this,
        dependsOn: [secret, ...account],
        customTimeouts: { create: timeout(config), update: timeout(config) },
      },
    );
    const service = new ClusterObject(
      "Service",
      `${name}-service`,
      {
        // The provider would wait ten seconds for endpoints that are there.
        metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: {
          // Where gateways stand by, the active one says where requests go.
          ...(hasStandbys(config) ? {} : { selector: app }),
          ports: [{ name: "http", port, targetPort: "http" }],
        },
      },
      {
        parent: this,
        dependsOn: deployment,
        // A Service that loses its selector keeps the addresses that it had by it.
        replaceOnChanges: ["spec.selector"],
        deleteBeforeReplace: true,
      },
    );
    // By themselves, the kubelets bring changed keys to the pods within two minutes.
    new command.local.Command(
      `${name}-keys-in-force`,
      {
        create: "node components/commands/await-keys.ts",
        stdin: keys.apply((lines) => lines.join("\n")),
        environment: { ...args.environment },
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: [secret, deployment] },
    );
    new ClusterObject(
      "NetworkPolicy",
      `${name}-access`,
      {
        metadata,
        spec: gatewayPolicy(config, { gateway: DEFAULT_PORT, ollama: ollamaPort, state: statePort }),
      },
      { parent: this },
    );
    // A drain of nodes takes one at a time. One alone finishes its requests before its successor is there.
    if (hasSeveralGateways(config))
      new ClusterObject(
        "PodDisruptionBudget",
        `${name}-disruption`,
        { metadata, spec: { maxUnavailable: 1, selector: { matchLabels: app } } },
        { parent: this },
      );
    this.url = service.metadata.apply(() => `http://gateway.${namespace}.svc:${String(port)}`);
    this.registerOutputs({ url: this.url });
  }
}

/** A pod that drains, and one that starts. */
function timeout(config: ParsedConfig): string {
  return `${String(stopSeconds(config) + config.readyTimeoutSeconds * 2)}s`;
}

function stopSeconds(config: ParsedConfig): number {
  const shutdownSeconds = Math.ceil(readConfig(gatewaySettings(config)).SHUTDOWN_TIMEOUT_MS / 1000);
  const handOver = hasStandbys(config) ? handOverSeconds : 0;
  return handOver + serviceUpdateSeconds + config.drainTimeoutSeconds + shutdownSeconds + stopMarginSeconds;
}

/** The new pod is ready before the old one goes, unless both would write one file of what keys have used. */
function strategy({ gatewayUsageVolume }: ParsedConfig) {
  return gatewayUsageVolume === ""
    ? { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }
    : { type: "Recreate" };
}

function podMetadata({ statePassword }: GatewayPodsArgs) {
  const annotations = { "ollama-stack/state-password": statePassword };
  return { labels: app, ...(statePassword === undefined ? {} : { annotations }) };
}

function podOf(args: GatewayPodsArgs) {
  const { config, namespace } = args;
  const { gatewayUsageVolume } = config;
  const standby = hasStandbys(config) ? standbyPod(namespace) : undefined;
  const hasUsage = gatewayUsageVolume !== "";
  const passwordSecret = args.state?.passwordSecret ?? "";
  const hasPassword = passwordSecret !== "";
  const drain = [
    "node",
    "/app/control.cjs",
    "drain",
    String(config.drainTimeoutSeconds),
    String(serviceUpdateSeconds),
  ];
  const get = (path: string) => ({ httpGet: { path, port: "http" }, timeoutSeconds: 3 });
  // Not /ready: a gateway whose servers are away, or have no models yet, queues requests, and clients have to reach it
  // for that. An update waits for the models before it changes the gateway.
  const accepts = get("/accepting");
  return {
    ...podSecurity,
    // A volume of usage may have to be taken off the lost node first.
    ...(hasUsage ? {} : leavesLostNode),
    ...standby?.account,
    ...pullSecrets(config),
    terminationGracePeriodSeconds: stopSeconds(config),
    ...(hasSeveralGateways(config) ? { topologySpreadConstraints: spread } : {}),
    containers: [
      {
        name: "gateway",
        image: config.gatewayImage,
        ports: [{ name: "http", containerPort: DEFAULT_PORT }],
        env: [
          ...variables({ ...sharing(args.state), ...gatewaySettings(config), ...environment(args) }),
          ...(standby?.env ?? []),
        ],
        startupProbe: { ...accepts, periodSeconds: 1, failureThreshold: config.readyTimeoutSeconds },
        readinessProbe: { ...accepts, periodSeconds: 2 },
        livenessProbe: { ...get("/health"), periodSeconds: 10, failureThreshold: 6 },
        lifecycle: { preStop: { exec: { command: drain } } },
        resources: resources({ memoryMiB: config.gatewayMemoryMiB, cpus: config.gatewayCpus }),
        securityContext: containerSecurity,
        volumeMounts: [
          { name: "tmp", mountPath: "/tmp" },
          { name: "keys", mountPath: "/keys", readOnly: true },
          ...(standby === undefined ? [] : [standby.mount]),
          ...(hasUsage ? [{ name: "usage", mountPath: usageFolder }] : []),
          ...(hasPassword ? [{ name: "state", mountPath: stateFolder, readOnly: true }] : []),
        ],
      },
    ],
    volumes: [
      temporaryFolder("tmp", 64),
      { name: "keys", secret: { secretName: "gateway-keys" } },
      ...(standby === undefined ? [] : [standby.volume]),
      ...(hasUsage ? [{ name: "usage", persistentVolumeClaim: { claimName: gatewayUsageVolume } }] : []),
      ...(hasPassword
        ? [
            {
              name: "state",
              secret: { secretName: passwordSecret, items: [{ key: passwordKey, path: passwordKey }] },
            },
          ]
        : []),
    ],
  };
}

/** On nodes of their own, as far as there are enough. */
const spread = [
  {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: app },
    // Those that an update is about to replace do not count.
    matchLabelKeys: ["pod-template-hash"],
  },
];

function sharing(state: StateAccess | undefined): GatewayEnvironment {
  if (state === undefined) return {};
  return {
    SHARED_STATE: state.url,
    SHARED_STATE_PREFIX: state.prefix,
    ...(state.passwordSecret === "" ? {} : { SHARED_STATE_PASSWORD_FILE: `${stateFolder}/${passwordKey}` }),
  };
}

function environment({ config, namespace, servers, metricsKeyDigest }: GatewayPodsArgs) {
  const { gatewayUsageVolume } = config;
  const hosts = [...config.ingressHostnames, ...config.gatewayAllowedHosts];
  const own = [
    "gateway",
    `gateway.${namespace}`,
    `gateway.${namespace}.svc`,
    `gateway.${namespace}.svc.cluster.local`,
  ];
  return {
    HOST: "0.0.0.0",
    PORT: String(DEFAULT_PORT),
    LLM_BACKENDS: servers,
    OLLAMA_NUM_PARALLEL: String(config.ollamaParallel),
    OLLAMA_KEEP_ALIVE: config.ollamaKeepAlive,
    ...(config.console ? {} : { CONSOLE_FOLDER: "" }),
    CONTROL_SOCKET: "/tmp/control.sock",
    LLM_MODEL_ID: config.models[0]?.name ?? "",
    REQUIRED_MODELS: config.models.map((model) => model.name).join(","),
    KEEP_LOADED_MODELS: config.models
      .flatMap((model) => (model.keepLoaded === true ? model.name : []))
      .join(","),
    API_KEYS_FILE: `/keys/${keyFile}`,
    ...(hosts.length === 0 ? {} : { ALLOWED_HOSTS: [...own, ...hosts].join(",") }),
    ...(gatewayUsageVolume === "" ? {} : { USAGE_FILE: `${usageFolder}/gateway.json` }),
    ...(metricsKeyDigest === undefined ? {} : { METRICS_KEY_DIGEST: metricsKeyDigest }),
    LOG_LEVEL: config.gatewayLogLevel,
    OBJECTIVE_FIRST_TOKEN_MS: String(Math.round(config.objectiveFirstTokenSeconds * 1000)),
  } satisfies Partial<Record<ProgramVariable, pulumi.Input<string>>>;
}
