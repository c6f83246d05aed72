import { KeyError, parseKeys } from "../gateway/src/auth/api-keys.ts";
import type { ReportViolation, ResourceValidationArgs, ResourceValidationPolicy } from "@pulumi/policy";

// Rules for production stacks. They check the components' arguments, which mirror the config, and the engine's objects, so
// that nothing bypasses a component. The CLI prints the resource with each violation; the message contains the fix.

/** The arguments of components that rules check. All are optional, because a policy may see any program. */
interface Arguments {
  readonly apiKeys?: readonly unknown[];
  readonly retainModels?: boolean;
  readonly retain?: boolean;
  readonly model?: string;
  readonly digest?: string;
  /** Of an Ollama server. */
  readonly port?: number;
  /** Of a model: its source. */
  readonly source?: string;
  /** Of a gateway: its own variables. */
  readonly environment?: { readonly LOG_TEXT?: string };
  /** Of a gateway: its published port. */
  readonly published?: { readonly bindAddress?: string };
  /** Of a network. */
  readonly neighbourAccess?: string;
  /** Of an edge. */
  readonly mode?: string;
  readonly bindAddress?: string;
  readonly limits?: { readonly cpus?: string; readonly memoryMiB?: number; readonly pids?: number };
}

/** Inputs of the engine's objects. */
interface Inputs {
  readonly name?: string;
  readonly build?: unknown;
  readonly memory?: number;
  readonly cpus?: string;
  readonly cpuQuota?: number;
  readonly envs?: readonly string[];
}

function keysIn(text: string): { readonly keys: number; readonly problem?: string } {
  try {
    return { keys: parseKeys(text).length };
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return { keys: 0, problem: error.message };
  }
}

function rule(
  name: string,
  description: string,
  types: readonly string[],
  check: (props: Arguments & Inputs, report: ReportViolation, resource: ResourceValidationArgs) => void,
): ResourceValidationPolicy {
  return {
    name,
    description,
    enforcementLevel: "mandatory",
    validateResource: (resource, report) => {
      if (types.includes(resource.type)) check(resource.props as Arguments & Inputs, report, resource);
    },
  };
}

const component = (name: string) => `ollama-stack:index:${name}`;
const container = "docker:index/container:Container";
const image = "docker:index/remoteImage:RemoteImage";
const volume = "docker:index/volume:Volume";

/** Matches model names that Ollama's server runs in its cloud. */
function isCloudName(text: string): boolean {
  return /[:-]cloud$/i.test(text.replace(/:latest$/i, ""));
}

const digest = /@sha256:[0-9a-f]{64}$/;

export const rules: readonly ResourceValidationPolicy[] = [
  rule("keys-required", "The gateway requires a key.", [component("Gateway")], ({ apiKeys = [] }, report) => {
    // Comment lines are not keys.
    const { keys, problem } = keysIn(apiKeys.join("\n"));
    if (problem !== undefined) report(`Its keys cannot be read: ${problem}. Correct gatewayApiKeys.`);
    else if (keys === 0)
      report(
        "It has no key, so anyone who can reach it has access. Create one with npm run new-key -- NAME, and add the printed line to gatewayApiKeys.",
      );
  }),
  rule(
    "tls-required",
    "Keys and prompts cross the network with TLS only.",
    [component("Gateway"), component("Edge")],
    ({ published, mode, bindAddress }, report) => {
      const at = mode === undefined ? published?.bindAddress : mode === "http" ? bindAddress : undefined;
      if (at !== undefined && !/^127\.|^::1$/.test(at))
        report(
          `It accepts connections without TLS at ${at}. Set edge to internal, certificate or acme, or gatewayBindAddress to a loopback address.`,
        );
    },
  ),
  rule(
    "ollama-unpublished",
    "Ollama can only be reached through the gateway.",
    [component("OllamaServer")],
    ({ port = 0 }, report) => {
      if (port !== 0)
        report(
          `It is published at port ${String(port)} without keys. Set ollamaPort to 0; use npm run forward to reach it.`,
        );
    },
  ),
  rule(
    "neighbours-kept-out",
    "Other hosts can reach published ports only.",
    [component("ServiceNetwork")],
    ({ neighbourAccess }, report) => {
      const fix =
        "Update the engine to Docker 28 or newer, or make its host drop such packets with the commands in docs/security.md.";
      if (neighbourAccess === "open")
        report(
          `The engine is older than Docker 28 and lets other hosts of its network reach containers directly (moby#45610). ${fix}`,
        );
      if (neighbourAccess === "unknown")
        report(
          `The engine is older than Docker 28, which lets other hosts of its network reach containers directly (moby#45610) unless its host drops such packets. Whether it does can only be read by root on that host. ${fix}`,
        );
    },
  ),
  rule(
    "text-unlogged",
    "Prompts and responses are not logged.",
    [component("Gateway")],
    ({ environment }, report) => {
      // The gateway ignores spaces around a value.
      if (environment?.LOG_TEXT?.trim() === "on")
        report("It writes prompts and responses into its log. Remove LOG_TEXT from gatewayEnvironment.");
    },
  ),
  rule(
    "cloud-unused",
    "Nothing is sent to Ollama's cloud.",
    [component("OllamaModel"), container],
    ({ model, source, envs = [] }, report, { type }) => {
      if (type !== container) {
        const cloud = [model, source].find((text) => text !== undefined && isCloudName(text));
        if (cloud !== undefined)
          report(`${cloud} runs in Ollama's cloud: prompts leave the host. Remove it from models.`);
      } else if (envs.some((line) => line.startsWith("OLLAMA_HOST=")) && !envs.includes("OLLAMA_NO_CLOUD=1"))
        report("It may send prompts to Ollama's cloud. Give its container OLLAMA_NO_CLOUD=1.");
    },
  ),
  rule("images-pinned", "Images that are not built here are pinned by digest.", [image], (props, report) => {
    // The name of an image built here is unknown before the build and cannot be checked.
    if (props.build !== undefined && props.build !== null) return;
    const { name = "It" } = props;
    if (!digest.test(name))
      report(
        `${name} may refer to another image tomorrow. Write its digest into the stack's config with: npm run pin`,
      );
  }),
  rule(
    "models-pinned",
    "Models are pinned by digest.",
    [component("OllamaModel")],
    ({ model = "It", digest: pin }, report) => {
      if (pin === undefined)
        report(
          `${model} may refer to another model tomorrow. Write its digest into the stack's config with: npm run pin`,
        );
    },
  ),
  rule(
    "volumes-kept",
    "Volumes of models are protected, and kept when the stack is destroyed.",
    [volume, component("OllamaServer")],
    ({ name, retainModels }, report, { type, urn, opts }) => {
      // Certificates, keys and metrics can be recreated, or their loss is acceptable.
      const isReplaceable = ["Edge", "Gateway", "Monitoring"]
        .map(component)
        .some((parent) => urn.includes(`${parent}$`));
      if (type === volume && !opts.protect && !isReplaceable)
        report(`${name ?? "It"} can be deleted by an update. Set protectModels to true.`);
      if (type !== volume && retainModels !== true)
        report("Its volume is deleted with the stack. Set retainModels to true.");
    },
  ),
  rule(
    "limits-set",
    "Memory, CPUs and processes of every container are limited.",
    [container, ...["OllamaServer", "Gateway", "Edge", "Monitoring"].map(component)],
    ({ name = "it", memory = 0, cpus, cpuQuota = 0, limits }, report, { type }) => {
      if (type === container) {
        if (memory <= 0) report(`${name} may use all memory of the host. Give it a memory limit.`);
        if (cpuQuota <= 0 && Number(cpus ?? 0) <= 0)
          report(
            `${name} may use all CPUs of the host. Set ollamaCpus, gatewayCpus, edgeCpus or prometheusCpus, whichever it is.`,
          );
      } else if ((limits?.pids ?? 0) <= 0) {
        report(
          "It may start any number of processes. Set ollamaPids, gatewayPids, edgePids or prometheusPids, whichever it is.",
        );
      }
    },
  ),
];
