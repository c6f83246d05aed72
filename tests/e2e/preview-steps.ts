import type { Project } from "../../test-support/stack/project.ts";

interface Resource {
  readonly type: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
}

/** A step of `pulumi preview --json`. */
interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: Resource;
  readonly newState?: Resource;
  readonly detailedDiff?: Readonly<Record<string, { readonly kind: string }>> | null;
}

export interface PreviewStep {
  readonly name: string;
  readonly op: string;
  readonly isComponent: boolean;
  /** The resource before and after; undefined if it is created or deleted. */
  readonly before: Resource | undefined;
  readonly after: Resource | undefined;
  /**
   * The changed properties, each behind the resource's name; envs.NAME for a variable of a container. If the resource is
   * recreated, only those that recreate it.
   */
  readonly changes: readonly string[];
}

/** What an update would do to each resource that it changes, including components, which only group others. */
export async function readPreviewSteps(project: Project, ...args: string[]): Promise<PreviewStep[]> {
  const text = await project.pulumi("preview", "--json", ...args);
  const { steps } = JSON.parse(text.slice(text.indexOf("{"))) as { steps: Step[] };
  return steps
    .filter(({ op }) => op !== "same")
    .map((step) => {
      const name = step.urn.split("::").at(-1) ?? step.urn;
      const changes = changedProperties(step).map((property) => `${name} ${property}`);
      const isComponent = /::ollama-stack:index:\w+::[^:]/.test(step.urn);
      return { name, op: step.op, isComponent, before: step.oldState, after: step.newState, changes };
    });
}

/** The operation on each resource that an update would change, by name, except components. */
export async function previewSteps(project: Project, ...args: string[]): Promise<Record<string, string>> {
  const steps = await readPreviewSteps(project, ...args);
  return Object.fromEntries(
    steps.filter(({ isComponent }) => !isComponent).map(({ name, op }) => [name, op]),
  );
}

/** Whether a step recreates or removes an object of the engine. */
export function removesObject({ op, before, after }: PreviewStep): boolean {
  return /replace|delete/.test(op) && (after ?? before)?.type.startsWith("docker:") === true;
}

function changedProperties({ op, detailedDiff, oldState, newState }: Step): string[] {
  const paths = Object.entries(detailedDiff ?? {})
    .filter(([, { kind }]) => op === "update" || kind.endsWith("-replace"))
    .map(([path]) => path);
  const properties = paths.flatMap((path) =>
    path.startsWith("envs[") ? changedVariables(oldState, newState) : [path.replaceAll(/\[\d+\]/g, "")],
  );
  return [...new Set(properties)];
}

/** The lines of variables are a set, so a path into them names none. */
function changedVariables(before: Resource | undefined, after: Resource | undefined): string[] {
  const linesOf = (resource: Resource | undefined) => (resource?.inputs?.["envs"] ?? []) as string[];
  const [former, current] = [linesOf(before), linesOf(after)];
  return [...former, ...current]
    .filter((line) => !former.includes(line) || !current.includes(line))
    .map((line) => `envs.${line.slice(0, line.indexOf("="))}`);
}
