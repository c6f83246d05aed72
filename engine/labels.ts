import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clusterName, project, shortStackName } from "./names.ts";

/** By which an engine's filters find what belongs to a stack, whatever it is called. */
export const stackLabel = `${project}.stack`;

/** The same for the namespace of a stack in a cluster, whose labels have 63 characters at most. */
export function namespaceLabels(stack: string): Record<string, string> {
  return { [stackLabel]: clusterName(shortStackName(stack)) };
}

/** Labels of a container, network or volume of a stack: what made it, and what of the stack it is for. */
export function objectLabels(stack: string, component: string): Record<string, string> {
  return {
    [`${project}.project`]: project,
    [stackLabel]: shortStackName(stack),
    [`${project}.component`]: component,
    [`${project}.version`]: version(),
  };
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, "..", "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
