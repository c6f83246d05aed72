import { isIP } from "node:net";
import { z } from "zod";
import { KEY_LINE, KeyError, requireKeys } from "../../gateway/src/auth/api-keys.ts";
import { isAllowed } from "../../gateway/src/config/config.ts";
import { edgeModes } from "./edge-modes.ts";
import { gatewayEnvironment } from "./gateway-environment.ts";
import { gpus } from "./gpus.ts";
import { splitHostsLine } from "./hosts-line.ts";
import { boolean, integer } from "./key-types.ts";
import { engine, kubernetesKeys } from "./kubernetes/kubernetes-keys.ts";
import { models } from "./models/models.ts";
import { ollamaEnvironment } from "./ollama-environment.ts";

// Types and allowed values. Defaults and descriptions are in Pulumi.yaml, which the CLI merges into the stack's
// config. Each message completes the sentence "KEY is VALUE, but must be ...".

/** A number with up to three decimal places. */
const decimal = (min: number, max: number, unit: string) => {
  const allowed = `a number of ${unit} from ${String(min)} to ${String(max)}`;
  return z.codec(
    z.string(allowed).regex(/^\d{1,4}(\.\d{1,3})?$/, allowed),
    z.number(allowed).min(min, allowed).max(max, allowed),
    { decode: Number, encode: String },
  );
};

const memoryMiB = (min: number) => integer(min, 16 * 1024 * 1024);

/** A host port, or "auto" to let the stack choose one. */
const port = (min: 0 | 1) => {
  const allowed = `a whole number from ${String(min)} to 65535, or auto`;
  return z.codec(
    z.string(allowed).regex(/^(auto|-?\d+)$/, allowed),
    z.union([z.literal("auto"), z.int(allowed).min(min, allowed).max(65535, allowed)]),
    { decode: (text) => (text === "auto" ? text : Number(text)), encode: String },
  );
};

const cpus = z
  .string()
  .regex(
    /^(|(?=.*[1-9])\d{1,4}(\.\d{1,2})?)$/,
    "a number of CPUs such as 2 or 0.5, or empty for all of them",
  );

const address = z.union([z.ipv4(), z.ipv6()], "an IPv4 or IPv6 address such as 127.0.0.1");

const dockerName = z
  .string()
  .regex(
    /^(|[A-Za-z0-9][A-Za-z0-9_.-]*)$/,
    "a name of letters, digits, '_', '.' and '-', or empty for the default",
  );

const platform = z
  .string()
  .regex(
    /^(|[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?)$/,
    "a platform such as linux/amd64, or empty for the engine's own",
  );

const imageReferenceAllowed = "an image reference such as ollama/ollama:0.17.4";
const imageReference = z
  .string()
  .regex(
    /^([A-Za-z0-9.-]+(:\d{1,5})?\/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/,
    imageReferenceAllowed,
  );

const keepAlive = z
  .string()
  .regex(
    /^(-1|0|(\d+(\.\d+)?(ms|s|m|h))+)$/,
    "a duration such as 30s, 5m or 24h, -1 (forever) or 0 (not at all)",
  );

const hostsLineAllowed = `"name:address", such as "registry:host-gateway" or "registry:192.0.2.7"`;
const hostsLine = z
  .string(hostsLineAllowed)
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*:/, hostsLineAllowed)
  .refine((line) => {
    const { ip } = splitHostsLine(line);
    // Docker accepts no zone.
    return ip === "host-gateway" || (isIP(ip) !== 0 && !ip.includes("%"));
  }, hostsLineAllowed);

const apiKeys = z.array(z.string("lines of text"), "a list of lines").superRefine((lines, context) => {
  try {
    // A non-empty list without a key would open the gateway to everyone.
    if (lines.length > 0) requireKeys(lines.join("\n"));
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    context.addIssue({ code: "custom", message: `a list of lines ${KEY_LINE} (${error.message})` });
  }
});

const hostname = z
  .string()
  .regex(
    /^(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
    "a host name or an IPv4 address",
  );

const allowedHost = z
  .string("a host name")
  .refine(
    (text) => text !== "" && !text.includes(",") && isAllowed("ALLOWED_HOSTS", text),
    "a host name without scheme and port; .example.org matches that name and its subdomains, * any name",
  );

const absoluteFolder = z
  .string()
  .regex(/^(|\/.+|[A-Za-z]:[\\/].+)$/, "the absolute path of a folder, or empty");

const absoluteFile = z.string().regex(/^(|\/.+|[A-Za-z]:[\\/].+)$/, "the absolute path of a file, or empty");

const dockerHost = z
  .string()
  .regex(
    /^(|unix:\/\/\/.+|ssh:\/\/([\w.-]+@)?[\w.-]+(:\d{1,5})?|tcp:\/\/[\w.-]+:\d{1,5})$/,
    "an engine's address such as ssh://user@host or tcp://host:2376, or empty for this machine's",
  );

const alertmanager = z
  .string("an address")
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]*:\d{1,5}$/, "an address such as alerts.example.org:9093");

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

export const keys = z.strictObject({
  engine,
  ...kubernetesKeys,
  gatewayImage: z.union([z.literal(""), imageReference], imageReferenceAllowed),
  production: boolean,
  dockerHost,
  dockerCertPath: absoluteFolder,
  networkName: dockerName,
  imagePlatform: platform,
  trustedCertificates: absoluteFile,
  ollamaReplicas: integer(1, 16),
  ollamaImage: imageReference,
  ollamaPort: port(0),
  ollamaBindAddress: address,
  ollamaHosts: z.array(hostsLine, "a list of lines"),
  ollamaEnvironment,
  ollamaMemoryMiB: memoryMiB(256),
  ollamaCpus: cpus,
  ollamaPids: integer(64, 4_194_304),
  ollamaParallel: integer(1, 64),
  ollamaContextLength: integer(256, 16_777_216),
  ollamaKeepAlive: keepAlive,
  gpus,
  modelVolume: dockerName,
  retainModels: boolean,
  protectModels: boolean,
  models,
  pullStallSeconds: integer(5, 3600),
  gatewayReplicas: integer(1, 16),
  gatewayPort: port(1),
  gatewayBindAddress: address,
  gatewayApiKeys: apiKeys,
  gatewayUsageVolume: dockerName,
  gatewayAllowedHosts: z.array(allowedHost, "a list of names"),
  gatewayBaseImage: imageReference,
  gatewayMemoryMiB: memoryMiB(128),
  gatewayCpus: cpus,
  gatewayPids: integer(32, 4_194_304),
  stateImage: imageReference,
  stateMemoryMiB: memoryMiB(128),
  console: boolean,
  gatewayLogLevel: z.enum(logLevels, `one of ${logLevels.join(", ")}`),
  gatewayEnvironment,
  edge: z.enum(["none", ...edgeModes], `one of none, ${edgeModes.join(", ")}`),
  edgeHostnames: z.array(hostname, "a list of names"),
  edgeCertificates: absoluteFolder,
  edgeAcmeDirectory: z.string().regex(/^(|https:\/\/[^\s{}"`]+)$/, "an https URL, or empty"),
  edgeAcmeEmail: z
    .string()
    .regex(/^(|[^\s@{}"`]+@[^\s@{}"`]+)$/, "an address such as ops@example.org, or empty"),
  edgeImage: imageReference,
  edgeMemoryMiB: memoryMiB(64),
  edgeCpus: cpus,
  edgePids: integer(32, 4_194_304),
  monitoring: z.enum(["none", "prometheus"], "none or prometheus"),
  prometheusImage: imageReference,
  prometheusPort: port(1),
  prometheusRetentionMiB: integer(64, 16 * 1024 * 1024),
  prometheusScrapeSeconds: integer(1, 60),
  prometheusMemoryMiB: memoryMiB(128),
  prometheusCpus: cpus,
  prometheusPids: integer(32, 4_194_304),
  alertmanagers: z.array(alertmanager, "a list of addresses"),
  alertAfterSeconds: integer(0, 3600),
  objectiveFirstTokenSeconds: decimal(0.01, 3600, "seconds"),
  objectiveAvailability: decimal(50, 99.999, "percent"),
  runbooks: z.string().regex(/^\S+$/, "a URL or a path, without spaces"),
  drainTimeoutSeconds: integer(1, 86_400),
  readyTimeoutSeconds: integer(5, 3600),
});

/** The values of all keys, each valid by itself. */
export type ParsedConfig = z.output<typeof keys>;
/**
 * Whether other hosts on the engine host's network can bypass published ports: reach containers at their own
 * addresses, or ports that are published on loopback only (moby#45610, fixed in Docker 28).
 */
export type NeighbourAccess = "closed" | "open" | "unknown";
/** The same, with the ports that the stack chose and what was detected about its engine. */
export type StackConfig = ParsedConfig & {
  readonly ollamaPort: number;
  readonly gatewayPort: number;
  readonly prometheusPort: number;
  /** Used by the production policy only. */
  readonly neighbourAccess?: NeighbourAccess;
};
