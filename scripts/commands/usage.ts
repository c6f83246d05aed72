// npm run usage: shows a month's usage by key and model.
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { formatUsage, mergeUsage, usageOfContainers, usageOfPods } from "../observe/usage.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("usage", async ({ options }) => {
  const month = options.month ?? new Date().toISOString().slice(0, 7);
  const { stack, stackOption, env } = await openSession(options);
  const reports = isOnCluster(stack)
    ? await usageOfPods((await openCluster(stack, env)).kubectl, month)
    : await usageOfContainers((await readOutputs(stack, env)).replicas.gateway, month);
  if (reports.length === 0)
    throw new Error(
      `no gateway of ${stack} is running, so its usage is unknown; start it with: npm run up${stackOption}`,
    );
  console.log(formatUsage(month, mergeUsage(reports), options.format ?? "table"));
});
