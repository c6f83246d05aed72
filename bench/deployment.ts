import { docker } from "../engine/docker-cli.ts";
import { setup } from "../scripts/setup/setup.ts";
import { composeConfig, composeVersion } from "./deployment/compose.ts";
import { composeFiles, ComposeStack } from "./deployment/compose-stack.ts";
import { type BenchOptions, positive } from "./options.ts";
import { PulumiStack } from "./deployment/pulumi-stack.ts";
import { publish, table } from "./results.ts";
import { summaryOf, withSpread } from "./summary.ts";

/** The tasks, in the order of the table. */
const tasks = {
  nothing: "nothing to do",
  first: "the first time, until the command ends",
  firstReady: "the first time, until the gateway is ready",
  preview: "preview of 20 models, 8 replicas",
} as const;
type Task = keyof typeof tasks;
const compose = {
  containersAlone: "Compose, containers alone",
  withModel: "Compose, with the model",
} as const;
const ways = [compose.containersAlone, compose.withModel, "pulumi up", "npm run up"] as const;
type Way = (typeof ways)[number];

/** Compares the time to deploy the stack, with Pulumi alone and with `npm run up`, with Docker Compose. */
export async function benchDeployment({ rounds: given = "3", write = false }: BenchOptions): Promise<void> {
  const rounds = positive("rounds", given);
  const { env } = await setup();
  const config = await composeConfig();
  const pulumi = await PulumiStack.create(env);
  const composeStacks = new Map<Way, ComposeStack>();
  try {
    await pulumi.up();
    for (const file of ["containersAlone", "withModel"] as const) {
      const stack = await ComposeStack.create(
        composeFiles[file],
        await pulumi.outputs(),
        pulumi.model,
        config,
      );
      composeStacks.set(compose[file], stack);
    }
    await pulumi.npmUp();
    const times: Times = new Map();
    for (let round = 0; round < rounds; round += 1) {
      const record = (task: Task, way: Way, milliseconds: number) => {
        const key = `${task} ${way}` as const;
        times.set(key, [...(times.get(key) ?? []), milliseconds]);
      };
      for (const [way, stack] of composeStacks) record("nothing", way, await stack.up());
      record("nothing", "pulumi up", await pulumi.up());
      record("nothing", "npm run up", await pulumi.npmUp());
      record("preview", "pulumi up", await pulumi.previewOf(20, 8));
      for (const [way, stack] of composeStacks) {
        await stack.down();
        const { ended, ready } = await stack.untilReady();
        record("first", way, ended);
        record("firstReady", way, ready);
      }
      await pulumi.down();
      const ours = await pulumi.untilReady();
      record("first", "pulumi up", ours.ended);
      record("firstReady", "pulumi up", ours.ready);
    }
    const engine = (await docker(["version", "--format", "{{.Server.Version}}"])).trim();
    const results = [
      `- Docker ${engine}, Docker Compose ${composeVersion}, Pulumi ${await pulumi.version()}`,
      "",
      `Seconds. Medians of ${rounds} rounds, in brackets the lowest and the highest.`,
      "",
      table(["", ...ways], rowsOf(times, seconds)),
      "",
      ...[compose.withModel, compose.containersAlone].flatMap((base) => multiples(times, base)),
    ].join("\n");
    await publish("deployment", results, write);
  } finally {
    for (const stack of composeStacks.values()) await stack.dispose();
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
    const medianOf = (each: Way) => summaryOf(times.get(`${task} ${each}`) ?? [])?.median;
    const [own, reference] = [medianOf(way), medianOf(base)];
    return own === undefined || reference === undefined ? "" : (own / reference).toFixed(1);
  };
  const rows = rowsOf(times, multiple).filter(([name]) => name !== tasks.preview);
  return [`As multiples of ${base}:`, "", table(["", ...ways], rows), ""];
}
