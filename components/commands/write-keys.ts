// Run by Pulumi before it creates the gateways, and when their API keys change: reads the keys from standard input, writes them
// to the gateways' volume and makes running gateways reload them. No gateway is restarted.
import { text } from "node:stream/consumers";
import { requireKeys } from "../../gateway/src/auth/api-keys.ts";
import { EngineError } from "../../engine/docker-cli.ts";
import { writeVolumeFile } from "../../engine/volume-file.ts";
import { requiredVariable } from "./lib/env.ts";
import { reloadKeys } from "./lib/key-reload.ts";

const file = {
  volume: requiredVariable("KEYS_VOLUME"),
  name: requiredVariable("KEYS_FILE"),
  image: requiredVariable("KEYS_IMAGE"),
};
const gateways = requiredVariable("KEYS_GATEWAYS").split(",");
const lines = await text(process.stdin);

try {
  // The config was already validated; this guards against opening the gateway with an empty list.
  const keys = requireKeys(lines);
  await writeVolumeFile(file, lines);
  const problems = await Promise.all(gateways.map((gateway) => reloadKeys(gateway, keys)));
  for (const problem of problems) if (problem !== undefined) console.error(problem);
  if (problems.some((problem) => problem !== undefined)) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`Cannot write the keys to the volume ${file.volume}: ${error.message}`);
  process.exitCode = 1;
}
