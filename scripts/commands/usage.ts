// npm run usage: what the requests of a month came to, by key and model.
import { askEngine, containerState } from "../../engine/docker-cli.ts";
import { command } from "../cli/command.ts";
import { openSession } from "../cli/session.ts";
import { formatUsage, mergeUsage } from "../observe/usage.ts";
import { readOutputs } from "../stack/outputs.ts";

await command("usage", async ({ options }) => {
  const month = options.month ?? new Date().toISOString().slice(0, 7);
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(month))
    throw new Error(`--month is ${month}, which is not a month; write it as in 2026-11`);
  const { stack, env } = await openSession(options);
  const { replicas } = await readOutputs(stack, env);
  const said = await Promise.all(
    replicas.gateway.map(async (container) => {
      if ((await containerState(container))?.status !== "running") return [];
      const text = await askEngine(["exec", container, "node", "/app/control.cjs", "usage", month]);
      return [{ container, text }];
    }),
  );
  if (said.flat().length === 0)
    throw new Error(
      `no gateway of ${stack} runs, which would know the usage; bring it back with: npm run up`,
    );
  console.log(formatUsage(month, mergeUsage(said.flat()), options.format ?? "table"));
});
