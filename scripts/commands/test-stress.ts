// npm run test:stress -- FILE ...: runs test files 20 times in a row beside 4 busy processes, and stops at the first
// failure. Other arguments go to vitest. A test that fails here depends on how busy the machine is.
import { parseArgs } from "node:util";
import { SetupError } from "../../host/exec.ts";
import { main } from "../cli/main.ts";
import { openSession } from "../cli/session.ts";
import { keepBusy } from "../test-runner/busy-processes.ts";
import { countTests } from "../test-runner/vitest.ts";

await main(async () => {
  const { values, positionals: files } = parseArgs({
    options: { times: { type: "string", default: "20" }, busy: { type: "string", default: "4" } },
    allowPositionals: true,
  });
  const [times, busy] = [values.times, values.busy].map(Number) as [number, number];
  if (files.length === 0) throw new SetupError("name the test files: npm run test:stress -- FILE ...");
  if (!Number.isInteger(times) || times < 1)
    throw new SetupError(`--times ${values.times}: it must be a whole number above 0`);
  if (!Number.isInteger(busy) || busy < 0)
    throw new SetupError(`--busy ${values.busy}: it must be a whole number from 0`);
  const projects = ["unit", "gateway", "bounds", "clients", "e2e"].map((name) => `--project=${name}`);
  const isEndToEnd = files.some((file) => file.includes("e2e"));
  const env = isEndToEnd
    ? await openSession([]).then((session) => ({ ...session.env, OLLAMA_STACK_WORLD: session.world }))
    : process.env;
  const stop = keepBusy(busy);
  try {
    for (let run = 1; run <= times; run += 1) {
      const { passed, failed } = await countTests([...projects, "--reporter=dot", ...files], env);
      console.log(`run ${run} of ${times}: ${passed} passed, ${failed} failed`);
      if (failed > 0) {
        process.exitCode = 1;
        return;
      }
    }
  } finally {
    stop();
  }
});
