import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../config/keys.ts";
import { volumeExists } from "./models/disk-space.ts";

/** The keys that name volumes which are there before the stack, and after it. */
const KEYS = ["modelVolume", "gatewayUsageVolume"] as const;

/** Refuses a config whose volumes the engine does not have: it would make others, which nobody then removes. */
export async function requireVolumes(
  config: Pick<StackConfig, (typeof KEYS)[number] | "dockerHost" | "dockerCertPath">,
): Promise<void> {
  for (const key of KEYS) {
    const name = config[key];
    if (name === "" || (await volumeExists({ name, engine: config }))) continue;
    throw new pulumi.RunError(
      `The volume ${name} (${key}) is not there. Make it with: docker volume create ${name}`,
    );
  }
}
