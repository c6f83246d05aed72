// npm run logs: the logs of all containers of a stack, merged, for people.
import { command } from "../cli/command.ts";
import { followLogs, readLogs, stackContainers } from "../observe/container-logs.ts";
import { formatLogLine, isError, type LogLine } from "../observe/log-line.ts";
import { openSession } from "../cli/session.ts";

await command("logs", async ({ options, operands }) => {
  const { stack, stackOption } = await openSession(options);
  const all = await stackContainers(stack);
  const isMeant = (component: string) =>
    operands.length === 0 || operands.some((each) => component === each || component.startsWith(`${each}-`));
  const containers = all.filter(({ component }) => isMeant(component));
  if (all.length === 0)
    throw new Error(`the stack ${stack} has no containers; bring it up with: npm run up${stackOption}`);
  if (containers.length === 0)
    throw new Error(
      `the stack ${stack} has no container ${operands.join(" or ")}; it has ${all.map(({ component }) => component).join(", ")}`,
    );
  const width = Math.max(...containers.map(({ component }) => component.length));
  const show = (line: LogLine) => {
    if (options.errors === true && !isError(line)) return;
    console.log(options.json === true ? JSON.stringify(line) : formatLogLine(line, width));
  };
  const wanted = { tail: options.tail ?? "100", since: options.since };
  if (options.follow === true) await followLogs(containers, wanted, show);
  else for (const line of await readLogs(containers, wanted)) show(line);
});
