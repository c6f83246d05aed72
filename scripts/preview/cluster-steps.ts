import { z } from "zod";
import { resourceOf, type Step } from "./steps.ts";

const api = "kubernetes:";

/** What a reader knows of in a cluster. */
export const clusterKinds: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ["core/v1:Namespace", "namespace"],
    ["core/v1:ConfigMap", "ConfigMap"],
    ["core/v1:Secret", "Secret"],
    ["core/v1:Service", "Service"],
    ["apps/v1:StatefulSet", "StatefulSet"],
    ["apps/v1:Deployment", "Deployment"],
    ["policy/v1:PodDisruptionBudget", "PodDisruptionBudget"],
    ["networking.k8s.io/v1:NetworkPolicy", "NetworkPolicy"],
    ["networking.k8s.io/v1:Ingress", "Ingress"],
  ].map(([type = "", kind = ""]) => [`${api}${type}`, kind]),
);

const withName = z.object({ metadata: z.object({ name: z.string() }) });

/** What the cluster calls an object with such inputs. */
export function clusterName(inputs: unknown): string | undefined {
  return withName.safeParse(inputs).data?.metadata.name;
}

const withVolumes = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ volumes: z.array(z.looseObject({ name: z.string() })) }) }),
  }),
});

/** Whom the update of a stack in a cluster interrupts, one line each; undefined where it has nothing in one. */
export function clusterInterruptions(steps: readonly Step[]): string[] | undefined {
  const own = steps.filter((step) => resourceOf(step).type.startsWith(api));
  if (own.length === 0) return undefined;
  const of = (kind: string, name: string) =>
    own.filter((step) => {
      const { type } = resourceOf(step);
      const inputs = (step.newState ?? step.oldState)?.inputs;
      return type === `${api}apps/v1:${kind}` && clusterName(inputs) === name;
    });
  const [ollama, gateway] = [of("StatefulSet", "ollama"), of("Deployment", "gateway")];
  if (ollama.some(({ op }) => op === "delete") && gateway.some(({ op }) => op === "delete"))
    return ["**Ends** the service."];
  const lines: string[] = [];
  if (ollama.some(({ op }) => op.includes("replace")))
    lines.push(
      "**Interrupts**: Ollama's pods are deleted before the new ones are made; requests wait in the gateway, or are rejected when its queue is full.",
    );
  else if (ollama.some(changesPods))
    lines.push(
      "Ollama's pods are replaced one after the other, each when its requests have ended; with one pod alone, requests wait in the gateway meanwhile.",
    );
  if (ollama.some((step) => (changesPods(step) || step.op.includes("replace")) && losesModels(step)))
    lines.push("Their models go with them: each new pod pulls them again. A `storageClass` keeps them.");
  if (gateway.some(changesPods))
    lines.push("The gateway's pod is replaced without a gap: the new one is ready before the old one goes.");
  return lines.length === 0 ? ["Interrupts nobody."] : lines;
}

function changesPods({ op, detailedDiff }: Step): boolean {
  return op === "update" && Object.keys(detailedDiff ?? {}).some((path) => path.startsWith("spec.template"));
}

/** Whether the models are in the pods themselves. */
function losesModels({ newState }: Step): boolean {
  const { data } = withVolumes.safeParse(newState?.inputs);
  return (
    data?.spec.template.spec.volumes.some(
      ({ name, emptyDir }) => name === "models" && emptyDir !== undefined,
    ) === true
  );
}
