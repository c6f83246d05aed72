import type { Project } from "../../test-support/stack/project.ts";

interface Step {
  readonly op: string;
  readonly urn: string;
}

/** The operation on each resource that an update would change, by name, except components, which only group them. */
export async function previewSteps(project: Project, ...args: string[]): Promise<Record<string, string>> {
  const text = await project.pulumi("preview", "--json", ...args);
  const { steps } = JSON.parse(text.slice(text.indexOf("{"))) as { steps: Step[] };
  const entries = steps
    .filter(({ op, urn }) => op !== "same" && !/::ollama-stack:index:\w+::[^:]/.test(urn))
    .map(({ op, urn }) => [urn.split("::").at(-1) ?? urn, op]);
  return Object.fromEntries(entries) as Record<string, string>;
}
