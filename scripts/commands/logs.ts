// npm run logs: prints the merged logs of a stack's containers in a readable format.
import { command } from "../cli/command.ts";
import { stackContainers } from "../observe/container-logs.ts";
import { formatLogLine, isError, type LogLine } from "../observe/log-line.ts";
import { followLogs, type LogSource, readLogs } from "../observe/merged-logs.ts";
import { podLogs } from "../observe/pod-logs.ts";
import { openSession } from "../cli/session.ts";
import { openCluster } from "../stack/cluster-outputs.ts";
import { isOnCluster } from "../stack/stack-file.ts";

await command("logs", async ({ options, operands }) => {
  const { stack, stackOption, env } = await openSession(options);
  const list = await lister(stack, env);
  const all = await list();
  const isMeant = ({ component }: LogSource) =>
    operands.length === 0 ||
    operands.some(
      (each) =>
        component === each || (/^[-/]/.test(component.slice(each.length)) && component.startsWith(each)),
    );
  const containers = all.filter(isMeant);
  if (all.length === 0)
    throw new Error(`the stack ${stack} has no containers; deploy it with: npm run up${stackOption}`);
  if (containers.length === 0)
    throw new Error(
      `the stack ${stack} has no container ${operands.join(" or ")}; it has ${all.map(({ component }) => component).join(", ")}`,
    );
  const width = Math.max(...containers.map(({ component }) => component.length));
  const show = (line: LogLine) => {
    if (options.errors === true && !isError(line)) return;
    console.log(options.json === true ? JSON.stringify(line) : formatLogLine(line, width));
  };
  const selection = { tail: options.tail ?? "100", since: options.since };
  if (options.follow === true) await followLogs(async () => (await list()).filter(isMeant), selection, show);
  else for (const line of await readLogs(containers, selection)) show(line);
});

/** Lists the log sources of a stack. Containers keep their names; pods come and go. */
async function lister(stack: string, env: NodeJS.ProcessEnv): Promise<() => Promise<LogSource[]>> {
  if (isOnCluster(stack)) {
    const { kubectl } = await openCluster(stack, env);
    return () => podLogs(kubectl);
  }
  const containers = await stackContainers(stack);
  return () => Promise.resolve(containers);
}
