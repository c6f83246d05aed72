import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { DEFAULT_PORT, readConfig } from "../../../gateway/src/config/config.ts";
import type { GatewayEnvironment, ProgramVariable } from "../../config/gateway-environment.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { hasSeveralGateways, hasStandbys, isGatewayScaled } from "../../config/kubernetes/gateway-count.ts";
import { gatewayVariables } from "../gateway-variables.ts";
import { logKeyWarnings } from "../gateway-keys.ts";
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

// A terminating pod still gets requests until every node has removed it from the Service.
const serviceUpdateSeconds = 5;
// Time for the gateway to close after its timeout for requests in flight.
const stopMarginSeconds = 5;

// A gateway that hands over tries for 10 s to release its Lease, waits 10 s for another one to take over, and waits at most
// 16 s for the API server's last responses.
const handOverSeconds = 36;

const keyFile = "api-keys";
const usageFolder = "/usage";
const stateFolder = "/state";

export interface GatewayPodsArgs {
  readonly config: ParsedConfig;
  readonly namespace: string;
  /** Value of LLM_BACKENDS. */
  readonly servers: string;
  /** Environment for an update's commands, with the cluster's address. */
  readonly environment: Readonly<Record<string, string>>;
  /** Port of its Service. */
  readonly port: number;
  /** Shared state of several gateways; undefined without shared state. */
  readonly state: StateAccess | undefined;
  /** Version of the password of the stack's own Valkey. A change replaces the pods, which read it at start. */
  readonly statePassword?: pulumi.Input<string> | undefined;
  /** SHA-256 of a key that may read the metrics. */
  readonly metricsKeyDigest?: pulumi.Input<string> | undefined;
}

/** The gateway on Kubernetes: pods behind a Service, replaced without downtime. */
export class GatewayPods extends pulumi.ComponentResource {
  /** Inside the cluster. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: GatewayPodsArgs, opts: pulumi.ComponentResourceOptions) {
    super("ollama-stack:kubernetes:GatewayPods", name, {}, opts);
    const { config, namespace, port } = args;
    const metadata = { name: "gateway", namespace };
    const keys = pulumi.secret(config.gatewayApiKeys);
    logKeyWarnings(keys, this);
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
          // With an autoscaler, an update keeps the current number of pods.
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
        // The provider would wait ten seconds for endpoints that already exist.
        metadata: { ...metadata, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: {
          // With standbys, the active gateway maintains the endpoints.
          ...(hasStandbys(config) ? {} : { selector: app }),
          ports: [{ name: "http", port, targetPort: "http" }],
        },
      },
      {
        parent: this,
        dependsOn: deployment,
        // A Service that loses its selector keeps the old endpoints.
        replaceOnChanges: ["spec.selector"],
        deleteBeforeReplace: true,
      },
    );
    // Without this, the kubelets would take up to two minutes to deliver changed keys.
    new command.local.Command(
      `${name}-keys-in-force`,
      {
        create: "node components/commands/await-keys.ts",
        stdin: keys.apply((lines) => lines.join("\n")),
        environment: {
          ...args.environment,
          // If somebody changed the Secret, restoring it does not change the keys.
          KEYS_RESOURCE_VERSION: secret.metadata.apply(({ resourceVersion = "" }) => resourceVersion),
        },
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
    // Draining nodes evicts one at a time. A single gateway needs no budget: it would block the drain.
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

/** Time for one pod to drain and another one to start. */
function timeout(config: ParsedConfig): string {
  return `${String(stopSeconds(config) + config.readyTimeoutSeconds * 2)}s`;
}

function stopSeconds(config: ParsedConfig): number {
  const shutdownSeconds = Math.ceil(readConfig(gatewaySettings(config)).SHUTDOWN_TIMEOUT_MS / 1000);
  const handOver = hasStandbys(config) ? handOverSeconds : 0;
  return handOver + serviceUpdateSeconds + config.drainTimeoutSeconds + shutdownSeconds + stopMarginSeconds;
}

/** Starts the new pod before stopping the old one, unless both would write the same usage file. */
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
  // Not /ready: a gateway whose servers are unavailable, or have no models yet, queues requests and must be reachable for
  // that. An update waits for the models before it changes the gateway.
  const accepts = get("/accepting");
  return {
    ...podSecurity,
    // A usage volume may first have to be detached from the lost node.
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

/** Spreads the pods over nodes, if there are enough. */
const spread = [
  {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: app },
    // Ignores pods that an update is about to replace.
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
    ...gatewayVariables({
      parallel: config.ollamaParallel,
      keepAlive: config.ollamaKeepAlive,
      console: config.console,
      models: config.models.map(({ name }) => name),
      keepLoaded: config.models.flatMap(({ name, keepLoaded }) => (keepLoaded === true ? name : [])),
      logLevel: config.gatewayLogLevel,
      objectiveFirstTokenSeconds: config.objectiveFirstTokenSeconds,
      metricsKeyDigest,
    }),
    LLM_BACKENDS: servers,
    API_KEYS_FILE: `/keys/${keyFile}`,
    ...(hosts.length === 0 ? {} : { ALLOWED_HOSTS: [...own, ...hosts].join(",") }),
    ...(gatewayUsageVolume === "" ? {} : { USAGE_FILE: `${usageFolder}/gateway.json` }),
  } satisfies Partial<Record<ProgramVariable, pulumi.Input<string>>>;
}
