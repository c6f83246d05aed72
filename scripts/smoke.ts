// npm run smoke -- --stack NAME: the smoke tests against a stack that is deployed.
import { main } from "./main.ts";
import { readOutputs } from "./outputs.ts";
import { openSession } from "./session.ts";
import { runTests } from "./vitest.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2));
  const outputs = await readOutputs(stack, env);
  process.exitCode = await runTests(["--project=smoke", ...rest], {
    ...env,
    SMOKE_STACK: JSON.stringify(outputs),
  });
});
