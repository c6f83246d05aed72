import type { StackConfig } from "../config/keys.ts";
import type { EngineInfo } from "./engine-info.ts";

const KEYS = ["ollamaCpus", "gatewayCpus", "edgeCpus", "prometheusCpus"] as const;
type CpuLimits = Pick<StackConfig, (typeof KEYS)[number]>;

/**
 * The CPU limits that an engine can apply. An engine without CFS quota (an old kernel, or rootless Docker without the cpu
 * controller) ignores the limits, so that each update would replace the containers.
 */
export function applicableCpuLimits(
  config: CpuLimits,
  { CpuCfsPeriod, CpuCfsQuota }: Pick<EngineInfo, "CpuCfsPeriod" | "CpuCfsQuota">,
): { readonly limits: CpuLimits; readonly warning?: string } {
  const set = KEYS.filter((key) => config[key] !== "");
  const limits = (of: (key: (typeof KEYS)[number]) => string) =>
    Object.fromEntries(KEYS.map((key) => [key, of(key)])) as Record<(typeof KEYS)[number], string>;
  if ((CpuCfsPeriod !== false && CpuCfsQuota !== false) || set.length === 0)
    return { limits: limits((key) => config[key]) };
  return {
    limits: limits(() => ""),
    warning:
      `The engine cannot limit CPUs (docker info: CpuCfsQuota false), so ${set.join(" and ")} ${set.length > 1 ? "have" : "has"} no effect. ` +
      `With rootless Docker, delegate the cpu controller to the user (docs.docker.com/engine/security/rootless); else the kernel needs CONFIG_CFS_BANDWIDTH.`,
  };
}
