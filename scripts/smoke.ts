// npm run smoke -- --stack NAME: the smoke tests against a stack that is deployed.
import { engineEnvironment } from "../components/engine.ts";
import { main } from "./main.ts";
import { readOutputs } from "./outputs.ts";
import { withReachable } from "./reachable.ts";
import { openSession } from "./session.ts";
import { engineOf } from "./stack-file.ts";
import { runTests } from "./vitest.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2));
  const outputs = await readOutputs(stack, env);
  process.exitCode = await withReachable(outputs, (reachable) =>
    runTests(["--project=smoke", ...rest], {
      ...env,
      ...engineEnvironment(engineOf(stack)),
      SMOKE_STACK: JSON.stringify(reachable),
    }),
  );
});
