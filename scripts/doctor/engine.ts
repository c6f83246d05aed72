import { z } from "zod";
import { gpus } from "../../components/config/gpus.ts";
import { engineInfo as plannedInfo } from "../../components/planning/engine-info.ts";
import { planRequest } from "../../components/planning/gpus/request.ts";
import { HostPorts } from "../../components/planning/ports/host-ports.ts";
import { applicableCpuLimits } from "../../components/planning/cpu-limits.ts";
import { explainEngine } from "../../engine/diagnostics.ts";
import { queryEngine, type EngineAddress, EngineError, engineHost } from "../../engine/docker-cli.ts";
import { formatBytes } from "../../engine/format-bytes.ts";
import { stackNames } from "../../engine/names.ts";
import { hasComponent, type Settings } from "../stack/settings.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

const engineInfo = plannedInfo.extend({
  OperatingSystem: z.string().default(""),
  Architecture: z.string().default(""),
  Driver: z.string().default(""),
  CgroupDriver: z.string().nullish(),
  MemoryLimit: z.boolean().nullish(),
  MemTotal: z.number(),
});
type EngineInfo = z.output<typeof engineInfo>;

const oldest = 20;

/** Checks Docker's client, the engine and the stack's requirements. */
export async function checkEngine(
  engine: EngineAddress,
  stack: string,
  settings: Settings,
): Promise<Finding[]> {
  let info: EngineInfo;
  try {
    info = engineInfo.parse(JSON.parse(await queryEngine(["info", "--format", "{{json .}}"], { engine })));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return [problem("Docker engine", error.message, explainEngine(engine, error.message))];
  }
  const [client, context] = await Promise.all([
    queryEngine(["version", "--format", "{{.Client.Version}}"], { engine }),
    queryEngine(["context", "show"]).catch(() => "default"),
  ]);
  const host = engineHost(engine);
  const where = host === "" ? `context ${context.trim()}` : host;
  const found = `${info.ServerVersion} at ${where}, client ${client.trim()}, ${info.OperatingSystem}, ${info.Driver}`;
  const isOld = Number.parseInt(info.ServerVersion, 10) < oldest && !info.ServerVersion.startsWith("2.");
  return [
    isOld ? problem("Docker engine", found, "Update it to 20.10 or newer.") : ok("Docker engine", found),
    ...checkLimits(info, settings),
    ...checkMemory(info, settings),
    ...checkGpus(info, settings),
    ...(await checkPorts(engine, stack, settings)),
  ];
}

function checkLimits(info: EngineInfo, settings: Settings): Finding[] {
  const isRootless = info.SecurityOptions?.some((option) => option.includes("rootless")) === true;
  const found = `cgroup v${info.CgroupVersion ?? "1"}, ${info.CgroupDriver ?? "no driver"}, ${isRootless ? "rootless" : "not rootless"}`;
  const text = (key: string) => textOf(settings(key));
  const cpus = {
    ollamaCpus: text("ollamaCpus"),
    gatewayCpus: text("gatewayCpus"),
    edgeCpus: text("edgeCpus"),
    prometheusCpus: text("prometheusCpus"),
  };
  const cannotLimit = applicableCpuLimits(cpus, info).warning;
  if (info.MemoryLimit === false)
    return [
      warning("limits", `${found}: no memory limits`, "Delegate the memory controller to the engine's user."),
    ];
  return cannotLimit === undefined ? [ok("limits", found)] : [warning("limits", found, cannotLimit)];
}

const mebibyte = 1024 * 1024;

function checkMemory({ MemTotal, NCPU }: EngineInfo, settings: Settings): Finding[] {
  const count = (key: string) => Number(settings(key) ?? 1);
  const required =
    (count("ollamaMemoryMiB") * count("ollamaReplicas") +
      count("gatewayMemoryMiB") * count("gatewayReplicas") +
      (hasComponent(settings, "edge") ? count("edgeMemoryMiB") : 0) +
      (hasComponent(settings, "monitoring") ? count("prometheusMemoryMiB") : 0)) *
    mebibyte;
  const found = `${formatBytes(MemTotal)} and ${String(NCPU)} CPUs; the stack's limits are ${formatBytes(required)}`;
  return required <= MemTotal
    ? [ok("memory", found)]
    : [
        warning(
          "memory",
          found,
          "A model that needs more than the engine has is killed: lower ollamaMemoryMiB, take a smaller model, or give the engine (Docker Desktop) more memory.",
        ),
      ];
}

function checkGpus(info: EngineInfo, settings: Settings): Finding[] {
  const text = textOf(settings("gpus")) || "none";
  const choice = gpus.safeParse(text);
  if (!choice.success)
    return [problem("GPU", `gpus is ${text}`, `Set it to ${z.prettifyError(choice.error)}.`)];
  const plan = planRequest(choice.data, info);
  if (!("problem" in plan)) return [ok("GPU", `${offeredGpus(info)}; gpus is ${text}`)];
  const [, found = plan.problem, advice = ""] = /^(.*?)\. (.*)$/s.exec(plan.problem) ?? [];
  return [problem("GPU", found, advice)];
}

function offeredGpus({ Runtimes, DiscoveredDevices }: EngineInfo): string {
  if (Object.hasOwn(Runtimes ?? {}, "nvidia")) return "the engine has the runtime nvidia";
  const devices = (DiscoveredDevices ?? []).map(({ ID }) => ID).filter((id) => id.startsWith("nvidia.com/"));
  return devices.length > 0
    ? `the engine has the CDI devices ${devices.join(", ")}`
    : "the engine has neither the runtime nvidia nor CDI devices of it";
}

async function checkPorts(engine: EngineAddress, stack: string, settings: Settings): Promise<Finding[]> {
  const host = await HostPorts.read(engine);
  const names = stackNames(stack, { networkName: "", ollamaReplicas: 1, gatewayReplicas: 1 });
  const ports = [
    { key: "gatewayPort", address: String(settings("gatewayBindAddress")), own: [names.gateway, names.edge] },
    ...(hasComponent(settings, "monitoring")
      ? [{ key: "prometheusPort", address: "127.0.0.1", own: [names.prometheus] }]
      : []),
    { key: "ollamaPort", address: String(settings("ollamaBindAddress")), own: [names.ollama] },
  ];
  return await Promise.all(
    ports.map(async ({ key, address, own }) => {
      const value = String(settings(key));
      if (value === "auto" || value === "0") return ok("port", `${key} ${value}`);
      const holder = await host.takenBy(address, Number(value), own);
      if (holder === undefined) return ok("port", `${key} ${value} is free or the stack's`);
      return problem(
        "port",
        `${key} ${value} is in use by ${holder}`,
        `Stop that, or choose another: pulumi config set ${key} PORT --stack ${stack}`,
      );
    }),
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
