// npm run adopt: adopts the objects of a stack that was renamed or lost its state.
import { confirmChange } from "../cli/dialogs.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { engineName } from "../stack/deployed-engine.ts";
import { readDeployment } from "../stack/deployment.ts";
import { settingsFor } from "../stack/settings.ts";
import { engineOf, isOnCluster } from "../stack/stack-file.ts";
import { adopt, planAdoption } from "../update/adoption.ts";
import { adoptInCluster } from "../update/cluster-adoption.ts";
import { ensureStack } from "../update/recovery.ts";

await command("adopt", async ({ options }) => {
  const session = await openSession(options);
  const { stack, stackOption, env } = session;
  await ensureStack(stack, env);
  const deployment = await readDeployment(stack, env);
  if (isOnCluster(stack)) {
    await adoptInCluster(session, deployment);
    return;
  }
  const { resources } = deployment;
  const plan = await planAdoption(stack, resources, settingsFor(stack, []));
  if (plan === undefined) {
    console.log(`Nothing to adopt: the state of ${stack} contains all its objects on the engine.`);
    return;
  }
  const place = engineName(engineOf(stack));
  console.log(
    [
      `On ${place}, of the stack ${stack}:`,
      `  kept: ${plan.volumes.length === 0 ? "no volumes exist" : `the volumes ${plan.volumes.join(", ")}`}`,
      `  removed, and recreated by npm run up: ${[...plan.containers, ...plan.networks].join(", ") || "nothing"}`,
      ...(plan.renamed === undefined
        ? []
        : [`  set: modelVolume ${plan.renamed.volume}, which keeps its name; npm run destroy will leave it`]),
    ].join("\n"),
  );
  const isConfirmed = await confirmChange(options.yes, {
    change: `adopting the stack ${stack}`,
    command: `npm run adopt -- --stack ${stack}`,
    question: "Continue? The service is unavailable until npm run up has finished.",
  });
  if (!isConfirmed) return;
  await adopt(stack, env, plan);
  console.log(`Done. Deploy it with: npm run up${stackOption}`);
});
