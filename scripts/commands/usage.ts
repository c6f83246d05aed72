// npm run usage: shows a month's usage by key and model.
import { listPods } from "../../cluster/pods.ts";
import { queryEngine, containerState } from "../../engine/docker-cli.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { type CountedUsage, formatUsage, mergeUsage } from "../observe/usage.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { readOutputs } from "../stack/outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("usage", async ({ options }) => {
  const month = options.month ?? new Date().toISOString().slice(0, 7);
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month))
    throw new Error(`--month is ${month}, but must be a month such as 2026-11`);
  const { stack, stackOption, env } = await openSession(options);
  const count = isOnCluster(stack) ? countInCluster : countOnEngine;
  const reports = await count(stack, env, ["node", "/app/control.cjs", "usage", month]);
  if (reports.length === 0)
    throw new Error(
      `no gateway of ${stack} is running, so its usage is unknown; start it with: npm run up${stackOption}`,
    );
  console.log(formatUsage(month, mergeUsage(reports), options.format ?? "table"));
});

async function countOnEngine(
  stack: string,
  env: NodeJS.ProcessEnv,
  client: readonly string[],
): Promise<CountedUsage[]> {
  const { replicas } = await readOutputs(stack, env);
  const reports = await Promise.all(
    replicas.gateway.map(async (container) => {
      if ((await containerState(container))?.status !== "running") return [];
      return [{ container, text: await queryEngine(["exec", container, ...client]) }];
    }),
  );
  return reports.flat();
}

async function countInCluster(
  stack: string,
  env: NodeJS.ProcessEnv,
  client: readonly string[],
): Promise<CountedUsage[]> {
  const { kubectl } = await openCluster(stack, env);
  const pods = (await listPods(kubectl, "app=gateway")).filter(({ running }) => running.includes("gateway"));
  return await Promise.all(
    pods.map(async ({ name: container }) => ({
      container,
      text: await kubectl.run(["exec", container, "--container=gateway", "--", ...client]),
    })),
  );
}
