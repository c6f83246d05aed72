import { z } from "zod";
import type { GpuChoice } from "../../config/gpus.ts";

/** A device request, as the `deviceRequests` of docker.Container have it. */
export interface GpuRequest {
  readonly driver: "nvidia" | "cdi";
  /** -1 means all of them; with ids it is left out. */
  readonly count?: -1;
  readonly deviceIds?: string[];
  readonly capabilities?: string[];
}

/** `docker info`, as far as it concerns GPUs. */
export const engineInfo = z.object({
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  // Since Docker 28.2.
  DiscoveredDevices: z.array(z.object({ Source: z.string(), ID: z.string() })).nullish(),
});
export type EngineInfo = z.output<typeof engineInfo>;

/** What becomes of a choice on an engine: a request or none, or why it cannot be. */
export type GpuPlan =
  { readonly request: GpuRequest | undefined; readonly note?: string } | { readonly problem: string };

const cdiKind = "nvidia.com/gpu=";

/**
 * The request by which an engine hands out GPUs. By its `gpus` the provider cannot ask for several by their ids ("0,1"
 * becomes one, and a count), so it always goes into `deviceRequests`.
 */
export function planRequest(choice: GpuChoice, { Runtimes, DiscoveredDevices }: EngineInfo): GpuPlan {
  if (choice === "none") return { request: undefined };
  const ids = typeof choice === "string" ? undefined : choice;
  const note = choice === "auto" ? { note: "gpus is auto, and the engine has some: Ollama gets all." } : {};
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
      : { problem: `gpus is ${ids?.join(",") ?? "all"}, but ${nothing}. ${mend}` };
  const missing = (ids ?? []).filter((id) => !found.includes(id));
  if (missing.length > 0)
    return {
      problem: `gpus names ${missing.join(",")}, but the engine has only ${found.join(", ")}. Choose of those: pulumi config set gpus ID,ID`,
    };
  return {
    request: { driver: "cdi", deviceIds: (ids ?? ["all"]).map((id) => `${cdiKind}${id}`) },
    ...note,
  };
}

const nothing =
  "the engine offers no GPU: docker info lists neither the runtime nvidia nor CDI devices nvidia.com/gpu";

const mend =
  "On its host, nvidia-smi has to work; install nvidia-container-toolkit there, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker. To do without: pulumi config set gpus none";
