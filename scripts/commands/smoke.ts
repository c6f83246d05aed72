// npm run smoke -- --stack NAME: the smoke tests against a stack that is deployed.
import { engineEnvironment } from "../../engine/docker-cli.ts";
import { main } from "../cli/main.ts";
import { readOutputs } from "../stack/outputs.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { openSession } from "../cli/session.ts";
import { engineOf } from "../stack/stack-file.ts";
import { runTests } from "../test-runner/vitest.ts";

await main(async () => {
  const { stack, env, rest } = await openSession(process.argv.slice(2));
  const outputs = await readOutputs(stack, env);
  process.exitCode = await withStackUrls(outputs, (reachable) =>
    runTests(["--project=smoke", ...rest], {
      ...env,
      ...engineEnvironment(engineOf(stack)),
      SMOKE_STACK: JSON.stringify(reachable),
    }),
  );
});
