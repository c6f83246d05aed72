import { queryLines } from "../../engine/docker-cli.ts";
import { containerPattern, project, shortStackName } from "../../engine/names.ts";
import type { LogOptions, LogSource } from "./merged-logs.ts";

/** A container of a stack and its role: "ollama", "gateway-2", "edge". */
export interface StackContainer {
  readonly name: string;
  readonly component: string;
}

/** The containers of a stack, running or not, on the environment's engine. */
export async function stackContainers(stack: string): Promise<LogSource[]> {
  const filter = ["--filter", `name=${containerPattern(stack)}`];
  const names = await queryLines(["container", "ls", "--all", "--format", "{{.Names}}", ...filter]);
  const prefix = `${project}-${shortStackName(stack)}-`;
  return names.sort().map((name) => containerLog({ name, component: name.slice(prefix.length) }));
}

/** The log of a container on the environment's engine. */
export function containerLog(container: StackContainer): LogSource {
  const { name } = container;
  const command = ({ tail, since }: LogOptions, follow: boolean) => {
    const from = since === undefined ? [] : ["--since", since];
    const more = follow ? ["--follow"] : [];
    const args = ["container", "logs", "--timestamps", "--tail", tail, ...from, ...more, name];
    return ["docker", args] as const;
  };
  return { ...container, command, isEmpty: () => false };
}
