// npm run attack: attacks two throwaway stacks with everything that clients can do. See attack/README.md.
import { printLine } from "../../host/progress.ts";
import { command } from "../cli/command.ts";
import { setup } from "../setup/setup.ts";
import { runCampaign } from "../../attack/campaign.ts";
import { readOptions } from "../../attack/options.ts";
import { hasHeld, report } from "../../attack/report.ts";
import { environmentOf, writeResults } from "../../attack/results.ts";
import { faults, scenarios } from "../../attack/scenarios/all.ts";
import type { Scenario } from "../../attack/scenario.ts";
import { AttackedStacks } from "../../attack/stacks.ts";

await command("attack", async ({ options: args }) => {
  const options = readOptions(args);
  const { env, toolSource } = await setup();
  Object.assign(process.env, env, { OLLAMA_STACK_WORLD: toolSource });
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => {
      if (!interrupted.signal.aborted) printLine("interrupted: destroying the stacks");
      interrupted.abort();
    });
  const isChosen = ({ section }: Scenario) => options.only.includes(section);
  const attacked = new AttackedStacks();
  try {
    printLine("deploying the two stacks to attack ...");
    const stacks = await attacked.up();
    const measured = await runCampaign(stacks, {
      scenarios: scenarios.filter(isChosen),
      faults: faults.filter(isChosen),
      minutes: options.minutes,
      seed: options.seed,
      signal: interrupted.signal,
    });
    const result = { ...measured, machine: await environmentOf(stacks) };
    const text = report(result);
    console.log(text);
    if (args.write) await writeResults(text);
    if (!hasHeld(result)) process.exitCode = 1;
  } finally {
    printLine("destroying the stacks ...");
    for (const failure of await attacked.down()) {
      printLine(failure);
      process.exitCode = 1;
    }
  }
});
