import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { docker } from "../engine/docker-cli.ts";
import { bundleGateway, gatewayContext } from "../components/resources/gateway-image/bundle.ts";
import type { VariableName } from "../gateway/src/config/config.ts";
import { configKeys } from "../scripts/commands/docs.ts";
import { runTool } from "../host/exec.ts";
import { setup } from "../scripts/setup/setup.ts";
import { Load } from "./load-process.ts";
import { type BenchOptions, positive } from "./options.ts";
import { freePort } from "../host/free-port.ts";
import { statusOf } from "./pinned-process.ts";
import { publish, table } from "./results.ts";
import { type Summary, summaryOf, withSpread } from "./summary.ts";

const root = join(import.meta.dirname, "..");
const image = "ollama-stack-bench-gateway";
const READY_WITHIN_MS = 30_000;

/** Measures the gateway's image: the size of its own layer, and the time until a container is ready. */
export async function benchImage({ rounds: given = "5", write = false }: BenchOptions): Promise<void> {
  const rounds = positive("rounds", given);
  const base = await baseImage();
  bundleGateway(root);
  await runTool(
    "docker",
    ["build", "--tag", image, "--build-arg", `BASE_IMAGE=${base}`, join(root, gatewayContext)],
    { what: "build the gateway's image" },
  );
  const load = await Load.start();
  try {
    const own = (await sizeOf(image)) - (await sizeOf(base));
    const starts: Start[] = [];
    for (let round = 0; round < rounds; round += 1) starts.push(await start(load.port));
    const ms = (timeOf: (each: Start) => number): string => withSpread(spread(starts.map(timeOf)), 0);
    const results = [
      `- Docker ${(await docker(["version", "--format", "{{.Server.Version}}"])).trim()}, base image ${base}`,
      "",
      `Medians of ${rounds} starts, in brackets the lowest and the highest.`,
      "",
      table(
        ["", "ours"],
        [
          ["the image's own layers (MB)", (own / 1e6).toFixed(2)],
          ["from the container's start to ready (ms)", ms(({ fromStart }) => fromStart)],
          ["from `docker start` to ready (ms)", ms(({ fromCall }) => fromCall)],
        ],
      ),
    ].join("\n");
    await publish("image", results, write);
  } finally {
    await load.stop();
    await docker(["image", "rm", image]);
  }
}

interface Start {
  /** From the engine's timestamp of the container's start, ms. */
  readonly fromStart: number;
  /** From the request to the engine, ms. */
  readonly fromCall: number;
}

async function start(ollamaPort: number): Promise<Start> {
  const port = await freePort();
  const variables = {
    HOST: "127.0.0.1",
    PORT: `${port}`,
    LLM_SERVICE_HOST_IP: "127.0.0.1",
    LLM_SERVICE_PORT: `${ollamaPort}`,
    LLM_MODEL_ID: "fast",
    REQUIRED_MODELS: "fast",
  } satisfies Partial<Record<VariableName, string>>;
  const env = Object.entries(variables).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  // The fake Ollama listens on the host's loopback.
  const id = (await docker(["create", "--network", "host", ...env, image])).trim();
  try {
    const called = Date.now();
    const starting = docker(["start", id]);
    while ((await statusOf(port, "/ready")) !== 200) {
      if (Date.now() - called > READY_WITHIN_MS) throw new Error("the gateway's container is not ready");
      await sleep(2);
    }
    const ready = Date.now();
    await starting;
    const startedAt = await docker(["container", "inspect", "--format", "{{.State.StartedAt}}", id]);
    return { fromStart: ready - Date.parse(startedAt.trim()), fromCall: ready - called };
  } finally {
    await docker(["rm", "--force", id]);
  }
}

/** The base image configured for this machine's stack, or the project's default. */
async function baseImage(): Promise<string> {
  const { stack } = await setup();
  const { config } = parse(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8")) as {
    config?: Record<string, unknown>;
  };
  const name = "gatewayBaseImage";
  return String(config?.[`ollama-stack:${name}`] ?? configKeys()[name]?.default);
}

async function sizeOf(name: string): Promise<number> {
  return Number(await docker(["image", "inspect", "--format", "{{.Size}}", name]));
}

function spread(values: readonly number[]): Summary {
  const summary = summaryOf(values);
  if (summary === undefined) throw new Error("there are no results");
  return summary;
}
