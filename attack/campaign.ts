import { printLine } from "../host/progress.ts";
import { waitFor } from "./connections.ts";
import { InnocentClient } from "./innocent-client.ts";
import { Random } from "./random.ts";
import type { CampaignResult, Outcome } from "./report.ts";
import { type Attack, type FaultScenario, range, type Scenario } from "./scenario.ts";
import type { Stacks } from "./stacks.ts";
import { describeError, type Target } from "./target.ts";
import { runnersOf, Watch } from "./watch.ts";

const RECOVERY_MS = 60_000;
const WARM_UP_MS = 180_000;

interface Plan {
  readonly scenarios: readonly Scenario[];
  /** Run once, after all rounds. */
  readonly faults: readonly FaultScenario[];
  readonly minutes: number;
  readonly seed: number;
  readonly signal: AbortSignal;
}

export type Measurements = Omit<CampaignResult, "machine">;

/** Runs rounds of scenarios until the time is up, each at least once, while innocent clients use the stacks. */
export async function runCampaign(stacks: Stacks, plan: Plan): Promise<Measurements> {
  const { edge, direct } = stacks;
  const { scenarios, faults, minutes, seed, signal } = plan;
  const clients = [new InnocentClient(edge), new InnocentClient(direct)];
  const outcomes = new Map<Scenario, Outcome>(
    [...scenarios, ...faults].map((scenario) => [scenario, emptyOutcome(scenario)]),
  );
  for (const target of [direct, edge]) await warmUp(target);
  const watch = await Watch.start([...direct.containers, ...edge.containers]);
  const began = performance.now();
  const elapsedMinutes = () => (performance.now() - began) / 60_000;
  const interruption = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
  const isOver = () => signal.aborted || elapsedMinutes() >= minutes;

  const run = async (scenario: Scenario, round: number): Promise<void> => {
    const outcome = outcomes.get(scenario) ?? emptyOutcome(scenario);
    const random = new Random(seed + round * 1009 + hashOf(scenario.name));
    let last: string | undefined;
    const reportProblem = (problem: string): void => {
      last = problem;
      outcome.problems.set(problem, (outcome.problems.get(problem) ?? 0) + 1);
    };
    const attack: Attack = {
      ...stacks,
      random,
      round,
      signal,
      countTries: (count = 1) => (outcome.tries += count),
      reportProblem,
    };
    const start = performance.now();
    const report = (error: unknown) => {
      reportProblem(describeError(error));
    };
    await Promise.race([scenario.run(attack), interruption]).catch(report);
    const problems = async () => [
      ...(await watch.changes()),
      ...clients.flatMap((client) => client.failures()),
    ];
    const harm = await problems();
    if (harm.length > 0 && !signal.aborted) {
      // Attribute the damage to this scenario, not to the next one.
      for (const target of [direct, edge]) await waitForRecovery(target).catch(report);
      harm.push(...(await problems()));
    }
    for (const problem of harm) reportProblem(problem);
    outcome.rounds += 1;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    const result = last === undefined ? "held" : `FAILED: ${last}`;
    printLine(
      `${elapsedMinutes().toFixed(1)} min  §${scenario.section} ${scenario.name}: ${seconds} s, ${result.slice(0, 300)}`,
    );
  };

  let round = 0;
  try {
    for (const client of clients) client.start();
    do {
      for (const scenario of scenarios) {
        if (round > 0 ? isOver() : signal.aborted) break;
        if (round % (scenario.everyRounds ?? 1) === 0) await run(scenario, round);
      }
      round += 1;
    } while (!isOver() && scenarios.length > 0);
    for (const client of clients) await client.pause();
    for (const fault of faults) {
      if (signal.aborted) break;
      await watch.ignoring(fault.breaks(stacks), () => run(fault, 0));
    }
    return {
      seed,
      minutes: elapsedMinutes(),
      rounds: round,
      outcomes: [...outcomes.values()],
      containers: await watch.summary(),
      clients: clients.map((client) => client.summary()),
      remarks: signal.aborted ? ["The campaign was interrupted."] : [],
    };
  } finally {
    for (const client of clients) await client.pause();
    watch.stop();
  }
}

/** Loads the model on each server of a stack, because a later load would look like the effect of an attack. */
async function warmUp(target: Target): Promise<void> {
  const isWarm = async () => {
    await Promise.all(range(4).map(() => target.chat({ max_tokens: 1 }, { key: "bystander" })));
    const runners = await Promise.all(target.deployment.containers.ollamas.map(runnersOf));
    return runners.every(({ length }) => length > 0);
  };
  if (!(await waitFor(isWarm, WARM_UP_MS)))
    throw new Error(
      `the stack ${target.deployment.name} did not load its model within ${WARM_UP_MS / 1000} s`,
    );
}

/** Waits until a stack serves an ordinary client again. */
async function waitForRecovery(target: Target): Promise<void> {
  const isHealthy = async () =>
    (await target.chat({ max_tokens: 1 }, { key: "bystander", withinMs: 20_000 })).status === 200;
  if (!(await waitFor(isHealthy, RECOVERY_MS)))
    throw new Error(`the stack ${target.deployment.name} did not recover within ${RECOVERY_MS / 1000} s`);
}

function emptyOutcome({ section, name, expected }: Scenario): Outcome {
  return { section, name, expected, rounds: 0, tries: 0, problems: new Map() };
}

/** Part of the seed, so that the scenarios of a round make different choices. */
function hashOf(text: string): number {
  let hash = 0;
  for (const char of text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return hash;
}
