import { readFileSync } from "node:fs";
import { join } from "node:path";
import { clusterName, project, shortStackName } from "./names.ts";

/** Label by which an engine's filters find a stack's objects. */
export const stackLabel = `${project}.stack`;

/** The same for a stack's namespace in a cluster, where labels are limited to 63 characters. */
export function namespaceLabels(stack: string): Record<string, string> {
  return { [stackLabel]: clusterName(shortStackName(stack)) };
}

/** Labels of a stack's container, network or volume. */
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
