import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { SetupError } from "../host/exec.ts";
import type { BenchOptions } from "./options.ts";
import { publish, table } from "./results.ts";
import { type Outcome, policies, type Policy, type World } from "./scale/simulation.ts";

const run = promisify(execFile);
const folder = join(import.meta.dirname, "scale");

const BACKENDS = [1, 10, 100, 1000];
const WAITING = [0, 100, 10_000];

/** Measures what the scheduler's decisions cost with many servers, and simulates what they lead to. */
export async function benchScale(options: BenchOptions): Promise<void> {
  const seed = Number(options.seed ?? 1);
  if (!Number.isSafeInteger(seed))
    throw new SetupError(`--seed ${options.seed ?? ""}: it must be a whole number`);
  const full: World = { seed, servers: 1000, models: 50, clients: 100_000, keys: 200, seconds: 420 };
  const world = options.quick === true ? { ...full, servers: 50, models: 20, clients: 5000, keys: 50 } : full;
  const decisions = await decisionTable();
  const outcomes: Outcome[] = [];
  for (const policy of policies) outcomes.push(await simulateApart(policy, world));
  const { servers, models, clients, keys, seconds } = world;
  const number = (value: number): string => value.toLocaleString("en-US");
  const results = `
### What a request costs the scheduler

Microseconds of processor time for a complete request: admission, choice, wait, hand-over of the slot. Servers run four requests at once and have three of 50 models loaded; the requests are those of 100 keys.

${decisions}

### What the choices lead to

${number(servers)} servers of three speeds, ${number(models)} models of which a server holds three in memory, ${number(clients)} clients with ${number(keys)} keys within ${number(seconds)} s, seed ${seed}.

${outcomeTable(outcomes)}
`;
  await publish("scale", results, options.write === true, join(folder, "RESULTS.md"));
}

/** Runs in a separate process, because it replaces the clocks with virtual ones. */
async function simulateApart(policy: Policy, world: World): Promise<Outcome> {
  const script = join(folder, "run-simulation.ts");
  const { stdout } = await run(process.execPath, [script, policy, JSON.stringify(world)]);
  return JSON.parse(stdout) as Outcome;
}

async function decisionTable(): Promise<string> {
  const rows: string[][] = [];
  for (const backends of BACKENDS) {
    const row = [`${backends} ${backends === 1 ? "server" : "servers"}`];
    for (const waiting of WAITING) {
      const script = join(folder, "decision-cost.ts");
      const { stdout } = await run(process.execPath, [script, `${backends}`, `${waiting}`]);
      row.push(Number(stdout).toFixed(1));
    }
    rows.push(row);
  }
  return table(["", ...WAITING.map((each) => `${each.toLocaleString("en-US")} waiting`)], rows);
}

function outcomeTable(outcomes: readonly Outcome[]): string {
  const seconds = (value: number): string => value.toFixed(2);
  return table(
    [
      "",
      "first token p50, s",
      "p99, s",
      "of the abusive key, p50, s",
      "fairness between keys",
      "responses a second",
      "failed",
      "model loads",
      "prompts found in a cache",
    ],
    outcomes.map((each) => [
      each.policy,
      seconds(each.p50),
      seconds(each.p99),
      seconds(each.abuserP50),
      each.fairness.toFixed(3),
      each.perSecond.toFixed(0),
      `${each.failed}`,
      `${each.loads}`,
      `${(100 * each.cached).toFixed(0)} %`,
    ]),
  );
}
