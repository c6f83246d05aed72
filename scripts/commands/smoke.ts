// npm run smoke -- --stack NAME: the smoke tests against a stack that is deployed.
import { engineEnvironment } from "../../engine/docker-cli.ts";
import { command } from "../cli/command.ts";
import { readOutputs } from "../stack/outputs.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { openSession } from "../cli/session.ts";
import { engineOf } from "../stack/stack-file.ts";
import { runTests } from "../test-runner/vitest.ts";

await command("smoke", async ({ options, passed }) => {
  const { stack, env } = await openSession(options);
  const outputs = await readOutputs(stack, env);
  process.exitCode = await withStackUrls(outputs, (reachable) =>
    runTests(["--project=smoke", ...passed], {
      ...env,
      ...engineEnvironment(engineOf(stack)),
      SMOKE_STACK: JSON.stringify(reachable),
    }),
  );
});
