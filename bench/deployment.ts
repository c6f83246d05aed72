import { parseArgs } from "node:util";
import { docker } from "../components/engine.ts";
import { setup } from "../scripts/setup.ts";
import { composeConfig, composeVersion } from "./compose.ts";
import { ComposeStack } from "./compose-stack.ts";
import { positive } from "./options.ts";
import { PulumiStack } from "./pulumi-stack.ts";
import { publish, table } from "./results.ts";
import { summaryOf, withSpread } from "./summary.ts";

/** What is done, in the order of the table, and with which of the columns. */
const tasks = {
  nothing: "nothing to do",
  first: "the first time, until it ends",
  firstReady: "the first time, until the gateway is ready",
  preview: "preview of 20 models, 8 replicas",
} as const;
type Task = keyof typeof tasks;
const ways = ["docker compose up -d", "pulumi up", "npm run up"] as const;
type Way = (typeof ways)[number];

/** What the stack costs to deploy: Pulumi's program and this project's script beside Docker Compose. */
export async function benchDeployment(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: "string", default: "3" }, write: { type: "boolean", default: false } },
  });
  const rounds = positive("rounds", values.rounds);
  const { env } = await setup();
  const config = await composeConfig();
  const pulumi = await PulumiStack.create(env);
  let compose: ComposeStack | undefined;
  try {
    await pulumi.up();
    compose = await ComposeStack.create(await pulumi.outputs(), pulumi.model, config);
    await pulumi.npmUp();
    const times: Times = new Map();
    for (let round = 0; round < rounds; round += 1) {
      const note = (task: Task, way: Way, milliseconds: number) => {
        const key = `${task} ${way}` as const;
        times.set(key, [...(times.get(key) ?? []), milliseconds]);
      };
      note("nothing", "docker compose up -d", await compose.up());
      note("nothing", "pulumi up", await pulumi.up());
      note("nothing", "npm run up", await pulumi.npmUp());
      note("preview", "pulumi up", await pulumi.previewOf(20, 8));
      await compose.down();
      const theirs = await compose.untilReady();
      note("first", "docker compose up -d", theirs.ended);
      note("firstReady", "docker compose up -d", theirs.ready);
      await pulumi.down();
      const ours = await pulumi.untilReady();
      note("first", "pulumi up", ours.ended);
      note("firstReady", "pulumi up", ours.ready);
    }
    const engine = (await docker(["version", "--format", "{{.Server.Version}}"])).trim();
    const results = [
      `- Docker ${engine}, Docker Compose ${composeVersion}, Pulumi ${await pulumi.version()}`,
      "",
      `Seconds. Medians of ${rounds} rounds, in brackets the lowest and the highest.`,
      "",
      table(["", ...ways], rowsOf(times, seconds)),
      "",
      "As multiples of `docker compose up -d`:",
      "",
      table(
        ["", ...ways],
        rowsOf(times, multiple).filter(([name]) => name !== tasks.preview),
      ),
    ].join("\n");
    await publish("deployment", results, values.write);
  } finally {
    await compose?.dispose();
    await pulumi.dispose();
  }
}

type Times = Map<`${Task} ${Way}`, readonly number[]>;
type Cell = (times: Times, task: Task, way: Way) => string;

function rowsOf(times: Times, cell: Cell): string[][] {
  return (Object.keys(tasks) as Task[]).map((task) => [
    tasks[task],
    ...ways.map((way) => cell(times, task, way)),
  ]);
}

function seconds(times: Times, task: Task, way: Way): string {
  return withSpread(summaryOf((times.get(`${task} ${way}`) ?? []).map((ms) => ms / 1000)), 2);
}

function multiple(times: Times, task: Task, way: Way): string {
  const median = (of: Way) => summaryOf(times.get(`${task} ${of}`) ?? [])?.median;
  const [own, theirs] = [median(way), median("docker compose up -d")];
  return own === undefined || theirs === undefined ? "" : (own / theirs).toFixed(1);
}
