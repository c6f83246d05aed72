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

/** Measures the cost of the scheduler's decisions with many servers, and simulates their results. */
export async function benchScale(options: BenchOptions): Promise<void> {
  const seed = Number(options.seed ?? 1);
  if (!Number.isSafeInteger(seed))
    throw new SetupError(`--seed ${options.seed ?? ""}: it must be an integer`);
  const full: World = { seed, servers: 1000, models: 50, clients: 100_000, keys: 200, seconds: 420 };
  const world = options.quick === true ? { ...full, servers: 50, models: 20, clients: 5000, keys: 50 } : full;
  const decisions = await decisionTable();
  const outcomes: Outcome[] = [];
  for (const policy of policies) outcomes.push(await runSimulation(policy, world));
  const { servers, models, clients, keys, seconds } = world;
  const number = (value: number): string => value.toLocaleString("en-US");
  const results = `
### Cost of a request in the scheduler

Microseconds of processor time for a complete request: admission, choice of a server, wait, release of the slot. Servers run four requests at once and have three of 50 models loaded; requests come from 100 keys.

${decisions}

### Results of the choices

${number(servers)} servers of three speeds, ${number(models)} models, three of them in a server's memory, ${number(clients)} clients with ${number(keys)} keys within ${number(seconds)} s, seed ${seed}.

${outcomeTable(outcomes)}
`;
  await publish("scale", results, options.write === true, join(folder, "RESULTS.md"));
}

/** Simulates in a separate process, because the simulation replaces the clocks with virtual ones. */
async function runSimulation(policy: Policy, world: World): Promise<Outcome> {
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
      "p50 of the abusive key, s",
      "fairness between keys",
      "responses per second",
      "failed",
      "model loads",
      "prompts found in the cache",
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
