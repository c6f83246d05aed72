import type { StackConfig } from "../../config/keys.ts";
import { bridgeAddress, type Network } from "../../../engine/bridge-address.ts";
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
  const inspected = queryEngine(["network", "inspect", "bridge"], { engine });
  const [bridge] = JSON.parse(await inspected.catch(() => "[]")) as Network[];
  return bridgeAddress(bridge);
}
