import { z } from "zod";
import { queryEngine, type EngineAddress } from "../../engine/docker-cli.ts";

/** The fields of `docker info` that decide what a stack can have. */
export const engineInfo = z.object({
  ServerVersion: z.string(),
  OSType: z.string().nullish(),
  OperatingSystem: z.string().nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
  /** Name of the host, and the engine's folder there. */
  Name: z.string().default(""),
  DockerRootDir: z.string().default(""),
  NCPU: z.number(),
  CgroupVersion: z.string().nullish(),
  CpuCfsPeriod: z.boolean().nullish(),
  CpuCfsQuota: z.boolean().nullish(),
  Runtimes: z.record(z.string(), z.unknown()).nullish(),
  // Since Docker 28.2.
  DiscoveredDevices: z.array(z.object({ Source: z.string(), ID: z.string() })).nullish(),
});
export type EngineInfo = z.output<typeof engineInfo>;

/** @throws EngineError if the engine does not respond */
export async function readEngineInfo(engine: EngineAddress): Promise<EngineInfo> {
  return engineInfo.parse(JSON.parse(await queryEngine(["info", "--format", "{{json .}}"], { engine })));
}
