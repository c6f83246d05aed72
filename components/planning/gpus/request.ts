import type { GpuChoice } from "../../config/gpus.ts";
import type { EngineInfo } from "../engine-info.ts";

/** An entry of `deviceRequests` of docker.Container. */
export interface GpuRequest {
  readonly driver: "nvidia" | "cdi";
  /** -1 means all; omitted with device ids. */
  readonly count?: -1;
  readonly deviceIds?: string[];
  readonly capabilities?: string[];
}

/** The outcome of a choice on an engine: a request, none, or a problem. */
type GpuPlan =
  { readonly request: GpuRequest | undefined; readonly note?: string } | { readonly problem: string };

const cdiKind = "nvidia.com/gpu=";

/**
 * The device request for the chosen GPUs. It always uses `deviceRequests`, because the provider's `gpus` cannot request
 * several ids ("0,1" becomes a count).
 */
export function planRequest(
  choice: GpuChoice,
  { Runtimes, DiscoveredDevices }: Pick<EngineInfo, "Runtimes" | "DiscoveredDevices">,
): GpuPlan {
  if (choice === "none") return { request: undefined };
  const ids = typeof choice === "string" ? undefined : choice;
  const note =
    choice === "auto" ? { note: "gpus is auto, and the engine has GPUs: Ollama gets all of them." } : {};
  if (Object.hasOwn(Runtimes ?? {}, "nvidia")) {
    const which = ids === undefined ? { count: -1 as const } : { deviceIds: [...ids] };
    return { request: { driver: "nvidia", ...which, capabilities: ["gpu"] }, ...note };
  }
  const found = (DiscoveredDevices ?? [])
    .filter(({ Source, ID }) => Source === "cdi" && ID.startsWith(cdiKind))
    .map(({ ID }) => ID.slice(cdiKind.length));
  if (found.length === 0)
    return choice === "auto"
      ? { request: undefined, note: `gpus is auto, and ${nothing}: Ollama runs on the CPU.` }
      : { problem: `gpus is ${ids?.join(",") ?? "all"}, but ${nothing}. ${fix}` };
  const missing = (ids ?? []).filter((id) => !found.includes(id));
  if (missing.length > 0)
    return {
      problem: `gpus names ${missing.join(",")}, but the engine has only ${found.join(", ")}. Choose from those: pulumi config set gpus ID,ID`,
    };
  return {
    request: { driver: "cdi", deviceIds: (ids ?? ["all"]).map((id) => `${cdiKind}${id}`) },
    ...note,
  };
}

const nothing =
  "the engine offers no GPU: docker info lists neither the runtime nvidia nor CDI devices nvidia.com/gpu";

const fix =
  "Make sure that nvidia-smi works on its host; install nvidia-container-toolkit there, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker. To run without GPUs: pulumi config set gpus none";
