// npm run test:stress -- FILE ...: runs test files 20 times in a row next to 4 busy processes, and stops at the first
// failure. A test that fails here depends on the machine's load.
import { SetupError } from "../../host/exec.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { keepBusy } from "../test-runner/busy-processes.ts";
import { countTests } from "../test-runner/vitest.ts";

await command("test-stress", async ({ options, operands: files, passed: vitest }) => {
  const [times, busy] = [options.times ?? "20", options.busy ?? "4"].map(Number) as [number, number];
  if (files.length === 0) throw new SetupError("name the test files: npm run test:stress -- FILE ...");
  if (!Number.isInteger(times) || times < 1)
    throw new SetupError(`--times ${options.times ?? ""}: it must be a whole number above 0`);
  if (!Number.isInteger(busy) || busy < 0)
    throw new SetupError(`--busy ${options.busy ?? ""}: it must be a whole number from 0`);
  const projects = ["unit", "declarations", "gateway", "programs", "bounds", "clients", "e2e"].map(
    (name) => `--project=${name}`,
  );
  const isEndToEnd = files.some((file) => file.includes("e2e"));
  const env = isEndToEnd
    ? await openSession().then((session) => ({ ...session.env, OLLAMA_STACK_WORLD: session.toolSource }))
    : process.env;
  const stop = keepBusy(busy);
  try {
    for (let run = 1; run <= times; run += 1) {
      const { passed, failed } = await countTests([...projects, "--reporter=dot", ...files, ...vitest], env);
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
