// npm run drift: compares the running objects with the deployed state. Exits with 0 if they are equal, with 2 if not.
import { type Deployment, readDeployment } from "../stack/deployment.ts";
import { findClusterDrift } from "../drift/cluster.ts";
import { findDrift } from "../drift/find.ts";
import { repairHints } from "../drift/repair-hints.ts";
import { report } from "../drift/report.ts";
import { reportDifferences } from "../drift/report-metric.ts";
import { withStackUrls } from "../connect/with-stack-urls.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { parseOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";

await command("drift", async ({ options }) => {
  const { stack, stackOption, env } = await openSession(options);
  const deployment = await readDeployment(stack, env);
  if (deployment.resources.length === 0)
    throw new Error(`the stack ${stack} is not deployed; deploy it with: npm run up${stackOption}`);
  let drift;
  if (isOnCluster(stack)) {
    const { kubectl } = await openCluster(stack, env);
    drift = await findClusterDrift(deployment, kubectl, stackOption);
    console.log(report(stack, drift, deployment, "objects"));
  } else {
    drift = await findDrift(deployment, stackOption);
    console.log(report(stack, drift, deployment));
    await reportToPrometheus(deployment, drift.differences.length);
  }
  if (drift.differences.length === 0) return;
  console.log(`\n${repairHints(drift.differences, stackOption)}`);
  process.exitCode = 2;
});

/** Reports the result to Prometheus for the alert and the dashboard. A stopped Prometheus counts as drift itself. */
async function reportToPrometheus({ resources }: Deployment, differences: number): Promise<void> {
  const outputs = parseOutputs(resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs);
  if (outputs?.prometheusUrl === undefined) return;
  try {
    await withStackUrls(outputs, async ({ prometheusUrl }) => {
      if (prometheusUrl !== undefined) await reportDifferences(prometheusUrl, differences);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.error(`The result was not reported to Prometheus: ${why}`);
  }
}
