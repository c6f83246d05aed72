// npm run adopt: adopts the objects of a stack that was renamed or lost its state.
import { confirm, isInteractive } from "../cli/dialogs.ts";
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
  const { stack, stackOption, env } = await openSession(options);
  await ensureStack(stack, env);
  const deployment = await readDeployment(stack, env);
  if (isOnCluster(stack)) {
    await adoptInCluster({ stack, stackOption, env }, deployment);
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
  if (options.yes !== true) {
    if (!isInteractive())
      throw new Error(
        `adopting the stack ${stack} requires confirmation; confirm with: npm run adopt -- --stack ${stack} --yes`,
      );
    if (!(await confirm("Continue? The service is unavailable until npm run up has finished."))) return;
  }
  await adopt(stack, env, plan);
  console.log(`Done. Deploy it with: npm run up${stackOption}`);
});
