// npm run adopt: takes over what the engine has of a stack whose state was lost, or which was renamed.
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
    console.log(`Nothing to take over: the state of ${stack} knows what the engine has of it.`);
    return;
  }
  const place = engineName(engineOf(stack));
  console.log(
    [
      `On ${place}, of the stack ${stack}:`,
      `  kept: ${plan.volumes.length === 0 ? "no volume is there" : `the volumes ${plan.volumes.join(", ")}`}`,
      `  removed, and made again by npm run up: ${[...plan.containers, ...plan.networks].join(", ") || "nothing"}`,
      ...(plan.renamed === undefined
        ? []
        : [`  set: modelVolume ${plan.renamed.volume}, which keeps its name; npm run destroy will leave it`]),
    ].join("\n"),
  );
  if (options.yes !== true) {
    if (!isInteractive())
      throw new Error(
        `the stack ${stack} is not taken over without a yes; say it with: npm run adopt -- --stack ${stack} --yes`,
      );
    if (!(await confirm("Go on? The service is away until npm run up has finished."))) return;
  }
  await adopt(stack, env, plan);
  console.log(`Done. Bring it up with: npm run up${stackOption}`);
});
