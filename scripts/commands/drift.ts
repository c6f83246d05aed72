// npm run drift: compares what runs with what was deployed. Exit code 0 when it is the same, 2 when it is not.
import { readDeployment } from "../stack/deployment.ts";
import { findDrift } from "../drift/find.ts";
import { mend } from "../drift/repair-hints.ts";
import { report } from "../drift/report.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";

await command("drift", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const deployment = await readDeployment(stack, env);
  if (deployment.resources.length === 0)
    throw new Error(`the stack ${stack} is not deployed; bring it up with: npm run up${stackOption}`);
  const drift = await findDrift(deployment, stackOption);
  console.log(report(stack, drift, deployment));
  if (drift.differences.length === 0) return;
  console.log(`\n${mend(drift.differences, stackOption)}`);
  process.exitCode = 2;
});
