import packageJson from "../../package.json" with { type: "json" };
import type { AppContext } from "../app-context.ts";
import { type KeyDefinition, keyId, rejectionReason } from "../auth/api-keys.ts";
import type { KeyStore } from "../auth/key-store.ts";
import type { UsageLedger } from "../auth/usage-ledger.ts";
import type { Backend } from "../backends/backend.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import type { UsageStore } from "../usage/usage-store.ts";
import type { Finding, Health } from "./contract/health.ts";
import type { Viewer } from "./viewer.ts";

const DAY_MS = 24 * 3_600_000;
const EXPIRES_SOON_MS = 14 * DAY_MS;
const MEMORY_WARNING = 0.85;
// The Date header has a resolution of a second, and a busy server is slow.
const CLOCK_TOLERANCE_MS = 5000;
// Without a limit the kernel reports a larger value.
const NO_LIMIT_BYTES = 2 ** 50;

interface HealthSource {
  readonly gateway: Pick<AppContext, "backends" | "config" | "shared">;
  readonly keys: Pick<KeyStore, "keys" | "fileProblem">;
  readonly ledger: Pick<UsageLedger, "hasFailed">;
  readonly usage: Pick<UsageStore, "hasFailed">;
  readonly memory?: () => Memory;
}

interface Memory {
  readonly usedBytes: number;
  /** Undefined without a limit. */
  readonly limitBytes: number | undefined;
}

/** Lists problems known to the gateway, as far as the viewer may see them. */
export function healthOf(
  { gateway, keys, ledger, usage, memory = memoryNow }: HealthSource,
  viewer: Viewer,
): Health {
  const { backends, config, shared } = gateway;
  const { usedBytes, limitBytes } = memory();
  const models = [
    ...missingModels(backends.all, config.REQUIRED_MODELS),
    ...coldModels(backends.all, config.KEEP_LOADED_MODELS),
  ].filter(({ subject }) => viewer.allows(subject ?? ""));
  const findings = [
    ...(viewer.admin && backends.all.length > 0
      ? backends.all.flatMap(ofBackend)
      : [ofAllBackends(backends.all)]),
    ...models,
    ...expiringKeys(keys.keys.map(({ key }) => key).filter(({ name }) => viewer.sees(name))),
    ...(viewer.admin
      ? [
          ...ofKeyFile(keys),
          ...ofUsageFile(ledger.hasFailed || usage.hasFailed, config.USAGE_FILE),
          ...ofSharedState(shared),
          ofMemory(usedBytes, limitBytes),
        ]
      : []),
  ];
  return {
    at: new Date().toISOString(),
    level: worst(findings),
    findings,
    gateway: {
      version: packageJson.version,
      started_at: new Date(performance.timeOrigin).toISOString(),
      uptime_seconds: Math.round(performance.now() / 1000),
      memory_bytes: usedBytes,
      memory_limit_bytes: limitBytes ?? null,
    },
  };
}

function worst(findings: readonly Finding[]): Health["level"] {
  const has = (level: Finding["level"]): boolean => findings.some((each) => each.level === level);
  return has("error") ? "error" : has("warning") ? "warning" : "ok";
}

function finding(
  check: Finding["check"],
  level: Finding["level"],
  subject: string | null,
  message: string,
  advice: string | null = null,
): Finding {
  return { check, level, subject, message, advice };
}

function ofBackend(backend: Backend): Finding[] {
  const { name, alive, isCordoned, breaker, clockAheadMs } = backend;
  if (isCordoned) {
    return [
      finding(
        "backend",
        "warning",
        name,
        `The server ${name} is being drained before a replacement and gets no new requests.`,
      ),
    ];
  }
  if (!alive) {
    const advice =
      "Check that its container runs and that the gateway can reach it: npm run status, npm run logs.";
    return [finding("backend", "error", name, `The server ${name} does not respond.`, advice)];
  }
  const findings = [finding("backend", "ok", name, `The server ${name} responds.`)];
  if (breaker.state !== "closed") {
    const message = `The server ${name} failed the requests of several clients in a row; its circuit breaker is open.`;
    findings.push(
      finding("circuit_breaker", "warning", name, message, `Look for the reason in its log: npm run logs.`),
    );
  }
  if (Math.abs(clockAheadMs) > CLOCK_TOLERANCE_MS) {
    const seconds = Math.round(Math.abs(clockAheadMs) / 1000);
    const message = `The clock of ${name} is ${seconds} s ${clockAheadMs > 0 ? "ahead of" : "behind"} the gateway's.`;
    findings.push(finding("clock", "warning", name, message, "Set the clocks of both machines by NTP."));
  }
  return [...findings, ...onCpu(backend)];
}

/** A model outside GPU memory is many times slower. */
function onCpu({ name: server, hasGpu, running }: Backend): Finding[] {
  if (!hasGpu) return [];
  return running.flatMap(({ name, size = 0, size_vram: vram = 0 }) => {
    if (size === 0 || vram >= size) return [];
    const message = `Of the model ${name}, ${Math.round((100 * vram) / size)} % is in GPU memory on ${server}, which has a GPU.`;
    const advice = "Use a smaller model or context, or unload other models.";
    return [finding("gpu", "warning", name, message, advice)];
  });
}

function ofAllBackends(backends: readonly Backend[]): Finding {
  const usable = backends.filter(({ reachable }) => reachable).length;
  const level = usable === 0 ? "error" : usable === backends.length ? "ok" : "warning";
  return finding("backend", level, null, `${usable} of ${backends.length} Ollama servers respond.`);
}

function missingModels(backends: readonly Backend[], required: readonly string[]): Finding[] {
  return required.map((model) => {
    const isThere = backends.some((each) => each.alive && each.holds(canonicalModelName(model)));
    if (isThere) return finding("required_model", "ok", model, `The model ${model} is installed.`);
    const message = `No server that responds has the required model ${model}.`;
    return finding("required_model", "error", model, message, "Install it: npm run up.");
  });
}

function coldModels(backends: readonly Backend[], kept: readonly string[]): Finding[] {
  return kept.flatMap((model) => {
    if (backends.some((each) => each.alive && each.loaded.hasAny(canonicalModelName(model)))) return [];
    const message = `The model ${model} should stay loaded but is not.`;
    return [
      finding(
        "kept_loaded_model",
        "warning",
        model,
        message,
        "Look for the reason in the logs: npm run logs.",
      ),
    ];
  });
}

/** Only the last key of a name to expire counts: the others are being replaced. */
function expiringKeys(keys: readonly KeyDefinition[]): Finding[] {
  const byName = Map.groupBy(
    keys.filter(({ disabled }) => !disabled),
    ({ name }) => name,
  );
  return [...byName].flatMap(([name, sameName]) => {
    const expiresAt = Math.max(...sameName.map((each) => each.expiresAt ?? Infinity));
    const left = expiresAt - Date.now();
    if (left > EXPIRES_SOON_MS) return [];
    const at = new Date(expiresAt).toISOString();
    const message = left > 0 ? `The key ${name} expires at ${at}.` : `The key ${name} expired at ${at}.`;
    // A key that is being replaced cannot be replaced once more.
    const [older, newer] = sameName.filter((each) => rejectionReason(each) === undefined);
    const replace =
      older === undefined || newer === undefined
        ? "Replace it"
        : `Revoke the key that it replaces: npm run keys -- revoke ${name} ${keyId(older)}. Then replace it`;
    return [finding("key_expiry", "warning", name, message, `${replace}: npm run keys -- rotate ${name}.`)];
  });
}

function ofKeyFile({ fileProblem }: HealthSource["keys"]): Finding[] {
  if (fileProblem === undefined) return [];
  const { path, problem } = fileProblem;
  const message = `Cannot read the file of API keys, keeping the previous keys: ${problem}.`;
  return [
    finding("key_file", "error", path, message, "Correct the file; the gateway reads it within two seconds."),
  ];
}

/** Key usage and monthly usage are in files next to each other. */
function ofUsageFile(hasFailed: boolean, path: string): Finding[] {
  if (!hasFailed) return [];
  const message = "Cannot write the usage of API keys, so a restart loses it.";
  return [
    finding(
      "usage_file",
      "error",
      path,
      message,
      "Check that its folder exists, is writable and is not full.",
    ),
  ];
}

function ofSharedState(shared: AppContext["shared"]): Finding[] {
  if (shared === undefined) return [];
  if (shared.isUp) {
    const message = `${shared.gateways} gateways share slots and limits.`;
    return [finding("shared_state", "ok", null, message)];
  }
  const message = "The shared state is unreachable: this gateway uses its own share of slots and limits.";
  const advice =
    "Check that its Valkey or Redis runs and that the gateway can reach it: npm run status, npm run logs.";
  return [finding("shared_state", "warning", null, message, advice)];
}

function ofMemory(usedBytes: number, limitBytes: number | undefined): Finding {
  if (limitBytes === undefined) return finding("memory", "ok", null, "The gateway has no memory limit.");
  const share = usedBytes / limitBytes;
  const message = `The gateway uses ${Math.round(100 * share)} % of its memory limit.`;
  if (share < MEMORY_WARNING) return finding("memory", "ok", null, message);
  return finding("memory", "warning", null, message, "Raise gatewayMemoryMiB, or lower BODIES_LIMIT_BYTES.");
}

function memoryNow(): Memory {
  const limit = process.constrainedMemory();
  return {
    usedBytes: process.memoryUsage.rss(),
    limitBytes: limit > 0 && limit < NO_LIMIT_BYTES ? limit : undefined,
  };
}
