// Run by Pulumi before the gateways are made, and whenever their keys change: puts the keys, which come on standard
// input, where the gateways read them. Those that run have taken them when it ends; none is restarted.
import { text } from "node:stream/consumers";
import { requireKeys } from "../../gateway/src/auth/api-keys.ts";
import { EngineError } from "../../engine/docker-cli.ts";
import { writeVolumeFile } from "../../engine/volume-file.ts";
import { required } from "./lib/env.ts";
import { reloadKeys } from "./lib/key-reload.ts";

const file = { volume: required("KEYS_VOLUME"), name: required("KEYS_FILE"), image: required("KEYS_IMAGE") };
const gateways = required("KEYS_GATEWAYS").split(",");
const lines = await text(process.stdin);

try {
  // They came through a check of the config; what would open a gateway is not written all the same.
  const keys = requireKeys(lines);
  await writeVolumeFile(file, lines);
  const problems = await Promise.all(gateways.map((gateway) => reloadKeys(gateway, keys)));
  for (const problem of problems) if (problem !== undefined) console.error(problem);
  if (problems.some((problem) => problem !== undefined)) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`The keys cannot be written into the volume ${file.volume}: ${error.message}`);
  process.exitCode = 1;
}
