import { z } from "zod";
import { objectKinds, resourceType } from "../../components/config/kubernetes/cluster-objects.ts";
import { clusterAccess } from "./cluster-access.ts";
import { resourceOf, type Step } from "./steps.ts";

/** Objects that users know, by Pulumi's type. */
export const clusterKinds: Readonly<Record<string, string>> = Object.fromEntries(
  objectKinds.map((kind) => [resourceType(kind), kind === "Namespace" ? "namespace" : kind]),
);

const withName = z.object({ metadata: z.object({ name: z.string() }) });

/** The name of an object in the cluster. */
export function clusterName(inputs: unknown): string | undefined {
  return withName.safeParse(inputs).data?.metadata.name;
}

const withVolumes = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ volumes: z.array(z.looseObject({ name: z.string() })) }) }),
  }),
});
const withReplicas = z.object({ spec: z.object({ replicas: z.number().optional() }) });
const withStrategy = z.object({ spec: z.object({ strategy: z.object({ type: z.string() }) }) });

/** Interruptions by an update of a stack in a cluster, one line each; undefined if it is not in a cluster. */
export function clusterInterruptions(steps: readonly Step[]): string[] | undefined {
  const own = steps.filter((step) => resourceOf(step).type in clusterKinds);
  if (own.length === 0) return undefined;
  const of = (kind: "StatefulSet" | "Deployment" | "Service", name: string) =>
    own.filter((step) => {
      const inputs = (step.newState ?? step.oldState)?.inputs;
      return resourceOf(step).type === resourceType(kind) && clusterName(inputs) === name;
    });
  const [ollama, gateway] = [of("StatefulSet", "ollama"), of("Deployment", "gateway")];
  if (ollama.some(({ op }) => op === "delete") && gateway.some(({ op }) => op === "delete"))
    return ["**Ends** the service."];
  const lines: string[] = [];
  if (ollama.some(isReplaced))
    lines.push(
      "**Interrupts**: Ollama's pods are deleted before the new ones are created; requests wait in the gateway, or are rejected when its queue is full.",
    );
  else if (ollama.some(changesPods))
    lines.push(
      "Ollama's pods are replaced one at a time, each after its requests have finished; with only one pod, requests wait in the gateway meanwhile.",
    );
  for (const step of ollama) {
    const pods = podsLeftToAutoscaler(step);
    if (pods !== undefined)
      lines.push(
        `**Interrupts**: Ollama goes from ${String(pods)} pods to 1 until the autoscaler has added more; removed pods finish their requests, and new requests wait in the gateway, or are rejected when its queue is full.`,
      );
  }
  if (ollama.some((step) => (changesPods(step) || isReplaced(step)) && losesModels(step)))
    lines.push(
      "Their models are deleted with them: each new pod pulls them again. A `storageClass` keeps them.",
    );
  const replaced = gateway.filter((step) => changesPods(step) || isReplaced(step));
  if (replaced.some((step) => isReplaced(step) || hasOnePodOnly(step)))
    lines.push(
      "**Interrupts**: the gateway's pod stops before the new one starts; it finishes its requests first, and the service is unavailable until the new one is ready.",
    );
  else if (replaced.some(hasSeveralPods))
    lines.push(
      "The gateway's pods are replaced without downtime, one at a time: each new one is ready before an old one stops.",
    );
  else if (replaced.length > 0)
    lines.push(
      "The gateway's pod is replaced without downtime: the new one is ready before the old one stops.",
    );
  for (const step of gateway) {
    const pods = podsLeftToAutoscaler(step);
    if (pods !== undefined)
      lines.push(
        `The gateway goes from ${String(pods)} pods to 1 until the autoscaler has added more; removed pods finish their requests.`,
      );
  }
  if (of("Service", "gateway").some(isReplaced))
    lines.push(
      "**Interrupts**: the gateway's Service is deleted and recreated with another address: new requests fail until clients resolve its name again.",
    );
  lines.push(...stateLines(of("Deployment", "state")));
  lines.push(...clusterAccess(own));
  return [...(lines.length === 0 ? ["Interrupts nobody."] : lines), ...nodeLossLines(ollama)];
}

/** Explains what happens to new Ollama pods on a lost node, for which a StatefulSet waits. */
function nodeLossLines(steps: readonly Step[]): string[] {
  const pods = (inputs: unknown) => withReplicas.safeParse(inputs).data?.spec.replicas ?? 0;
  const grown = steps.find(
    ({ op, oldState, newState }) =>
      op === "create" || (op === "update" && pods(newState?.inputs) > pods(oldState?.inputs)),
  );
  if (grown === undefined) return [];
  const models = losesModels(grown)
    ? "pulls its models again"
    : "has its models if its volume can follow it there";
  return [
    `An Ollama pod on a lost node is recreated on another node only after \`kubectl delete node NAME\`, and ${models}; until then the other pods get its requests.`,
  ];
}

/** Explains what happens to the stack's own Valkey. */
function stateLines(steps: readonly Step[]): string[] {
  const lost = "responses stored for `previous_response_id` are lost.";
  if (steps.some(({ op }) => op === "delete"))
    return [`The gateways stop sharing their state in Valkey: limits restart at zero, and ${lost}`];
  if (steps.some((step) => changesPods(step) || isReplaced(step)))
    return [
      `Valkey's pod is replaced: until the new one is ready, each gateway continues with its share of slots and limits, and ${lost}`,
    ];
  return [];
}

function hasSeveralPods({ newState }: Step): boolean {
  const { data } = withReplicas.safeParse(newState?.inputs);
  return data !== undefined && data.spec.replicas !== 1;
}

function isReplaced({ op }: Step): boolean {
  return op.includes("replace");
}

function changesPods({ op, detailedDiff }: Step): boolean {
  return op === "update" && Object.keys(detailedDiff ?? {}).some((path) => path.startsWith("spec.template"));
}

/** The former number of pods, if an update stops setting it; Kubernetes then defaults to one. */
function podsLeftToAutoscaler({ op, oldState, newState }: Step): number | undefined {
  const before = withReplicas.safeParse(oldState?.inputs).data?.spec.replicas;
  const after = withReplicas.safeParse(newState?.inputs).data;
  const isLeft = op === "update" && after !== undefined && after.spec.replicas === undefined;
  return isLeft && before !== undefined && before > 1 ? before : undefined;
}

/** Whether two of its pods must not run at the same time, because both would write the same usage file. */
function hasOnePodOnly({ newState }: Step): boolean {
  return withStrategy.safeParse(newState?.inputs).data?.spec.strategy.type === "Recreate";
}

/** Whether models are stored in the pods themselves. */
function losesModels({ newState }: Step): boolean {
  const { data } = withVolumes.safeParse(newState?.inputs);
  return (
    data?.spec.template.spec.volumes.some(
      ({ name, emptyDir }) => name === "models" && emptyDir !== undefined,
    ) === true
  );
}
