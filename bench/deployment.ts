import { docker } from "../engine/docker-cli.ts";
import { setup } from "../scripts/setup/setup.ts";
import { composeConfig, composeVersion } from "./deployment/compose.ts";
import { composeFiles, ComposeStack } from "./deployment/compose-stack.ts";
import { type BenchOptions, positive } from "./options.ts";
import { PulumiStack } from "./deployment/pulumi-stack.ts";
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
const compose = { containersAlone: "Compose, containers alone", whole: "Compose, with the model" } as const;
const ways = [compose.containersAlone, compose.whole, "pulumi up", "npm run up"] as const;
type Way = (typeof ways)[number];

/** What the stack costs to deploy: Pulumi's program and this project's script beside Docker Compose. */
export async function benchDeployment({ rounds: given = "3", write = false }: BenchOptions): Promise<void> {
  const rounds = positive("rounds", given);
  const { env } = await setup();
  const config = await composeConfig();
  const pulumi = await PulumiStack.create(env);
  const theirs = new Map<Way, ComposeStack>();
  try {
    await pulumi.up();
    for (const file of ["containersAlone", "whole"] as const) {
      const made = await ComposeStack.create(
        composeFiles[file],
        await pulumi.outputs(),
        pulumi.model,
        config,
      );
      theirs.set(compose[file], made);
    }
    await pulumi.npmUp();
    const times: Times = new Map();
    for (let round = 0; round < rounds; round += 1) {
      const note = (task: Task, way: Way, milliseconds: number) => {
        const key = `${task} ${way}` as const;
        times.set(key, [...(times.get(key) ?? []), milliseconds]);
      };
      for (const [way, stack] of theirs) note("nothing", way, await stack.up());
      note("nothing", "pulumi up", await pulumi.up());
      note("nothing", "npm run up", await pulumi.npmUp());
      note("preview", "pulumi up", await pulumi.previewOf(20, 8));
      for (const [way, stack] of theirs) {
        await stack.down();
        const { ended, ready } = await stack.untilReady();
        note("first", way, ended);
        note("firstReady", way, ready);
      }
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
      ...[compose.whole, compose.containersAlone].flatMap((base) => multiples(times, base)),
    ].join("\n");
    await publish("deployment", results, write);
  } finally {
    for (const stack of theirs.values()) await stack.dispose();
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

function multiples(times: Times, base: Way): string[] {
  const multiple: Cell = (_times, task, way) => {
    const median = (of: Way) => summaryOf(times.get(`${task} ${of}`) ?? [])?.median;
    const [own, theirs] = [median(way), median(base)];
    return own === undefined || theirs === undefined ? "" : (own / theirs).toFixed(1);
  };
  const rows = rowsOf(times, multiple).filter(([name]) => name !== tasks.preview);
  return [`As multiples of ${base}:`, "", table(["", ...ways], rows), ""];
}
