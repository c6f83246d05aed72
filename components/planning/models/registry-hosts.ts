import type { StackConfig } from "../../config/keys.ts";
import { queryEngine, type EngineAddress } from "../../../engine/docker-cli.ts";
import { splitHostsLine } from "../../config/hosts-line.ts";
import { parseReference, sourceKind } from "../../config/models/model-source.ts";

/** Addresses of the models' registries that only Ollama's container knows by name, from `ollamaHosts`. */
export async function containerHosts({
  ollamaHosts,
  models,
  ...engine
}: Pick<StackConfig, "ollamaHosts" | "models"> & EngineAddress): Promise<Map<string, string>> {
  const registries = new Set(
    models
      .map(({ name, source = name }) => source)
      .filter((source) => sourceKind(source) === "registry")
      .map((source) => parseReference(source).host.replace(/:\d+$/, "")),
  );
  const lines = ollamaHosts.map(splitHostsLine).filter(({ host }) => registries.has(host));
  const gateway = lines.some(({ ip }) => ip === "host-gateway") ? await hostGateway(engine) : undefined;
  return new Map(
    lines.flatMap(({ host, ip }) => {
      const address = ip === "host-gateway" ? gateway : ip;
      return address === undefined ? [] : [[host, address]];
    }),
  );
}

/** The address that the engine uses for host-gateway by default: its own on the default bridge. */
async function hostGateway(engine: EngineAddress): Promise<string | undefined> {
  const format = "{{range .IPAM.Config}}{{.Gateway}},{{.Subnet}} {{end}}";
  const text = await queryEngine(["network", "inspect", "--format", format, "bridge"], { engine }).catch(
    () => "",
  );
  return bridgeAddress(text);
}

/** The engine's own address on a bridge, from "gateway,subnet" of its address ranges. */
export function bridgeAddress(text: string): string | undefined {
  const [range = ""] = text.trim().split(" ");
  const [gateway = "", subnet = ""] = range.split(",");
  // An engine that was never restarted does not list it; it is the first address of the range.
  if (gateway !== "") return gateway;
  return /^\d+\.\d+\.\d+\.0\//.test(subnet) ? subnet.replace(/\.0\/\d+$/, ".1") : undefined;
}
