import { clusterParts, providerFolder } from "../../toolchain/cluster-binaries.ts";
import { installed } from "../../toolchain/install.ts";
import { SetupError } from "../../host/exec.ts";
import type { ToolSource } from "./tool-source.ts";

/**
 * Requires Pulumi's provider for clusters on a machine that builds its tools, where the CLI cannot download it.
 *
 * @throws SetupError
 */
export function requireClusterProvider(toolSource: ToolSource): void {
  if (toolSource === "released" || installed(clusterParts.provider, providerFolder()) !== "missing") return;
  throw new SetupError(
    "Pulumi's provider for Kubernetes is not built on this machine, and the set-up does not build it. Build it by running npm run test:kubernetes once.",
  );
}
