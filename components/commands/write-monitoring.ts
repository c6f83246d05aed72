// Run by Pulumi before it creates Prometheus, and when its files change: reads the files as JSON from standard input, writes
// them to Prometheus' volume and makes a running Prometheus reload them.
import { text } from "node:stream/consumers";
import { z } from "zod";
import { containerState, docker, EngineError } from "../../engine/docker-cli.ts";
import { writeVolumeFile } from "../../engine/volume-file.ts";
import { requiredVariable } from "./lib/env.ts";

const [volume, image] = [requiredVariable("MONITORING_VOLUME"), requiredVariable("MONITORING_IMAGE")];
const container = requiredVariable("MONITORING_CONTAINER");
const files = z.record(z.string(), z.string()).parse(JSON.parse(await text(process.stdin)));

try {
  for (const [name, content] of Object.entries(files))
    await writeVolumeFile({ volume, name, image }, content);
  if ((await containerState(container))?.status === "running")
    await docker(["container", "kill", "--signal", "HUP", container]);
} catch (error) {
  if (!(error instanceof EngineError)) throw error;
  console.error(`Cannot write Prometheus' files to the volume ${volume}: ${error.message}`);
  process.exitCode = 1;
}
