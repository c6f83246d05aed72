import { z } from "zod";
import { runProcess } from "../../../host/run-process.ts";
import { type KeeperState, keeperState } from "../../config/pod-models.ts";

const statefulSet = z.object({
  metadata: z.object({ generation: z.number() }),
  spec: z.object({ replicas: z.number() }),
  status: z
    .object({
      observedGeneration: z.number().optional(),
      readyReplicas: z.number().optional(),
      updatedReplicas: z.number().optional(),
      currentRevision: z.string().optional(),
      updateRevision: z.string().optional(),
    })
    .default({}),
});

const containerStatus = z.object({
  name: z.string(),
  state: z
    .object({
      waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
      running: z.object({}).optional(),
    })
    .default({}),
});

const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
        deletionTimestamp: z.string().optional(),
      }),
      status: z.object({
        phase: z.string(),
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
          .default([]),
        initContainerStatuses: z.array(containerStatus).default([]),
        containerStatuses: z.array(containerStatus).default([]),
      }),
    }),
  ),
});

export interface Pod {
  readonly name: string;
  /** Whether it is as the stack declares it by now. */
  readonly isUpdated: boolean;
  readonly isReady: boolean;
  /** Why it does not run yet, in Kubernetes' words. */
  readonly waiting: string | undefined;
  /** What the keeper of its models says; undefined while it does not run. */
  readonly state: KeeperState | undefined;
}

export interface Rollout {
  readonly replicas: number;
  /** Whether the controller knows the last declaration. */
  readonly isObserved: boolean;
  readonly pods: readonly Pod[];
}

interface Place {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string;
}

const answersWithinMs = 30_000;

/** The pods of Ollama in a cluster, by way of kubectl, which knows every way into a cluster. */
export class Pods {
  readonly #options: readonly string[];

  constructor({ kubeconfig, context, namespace }: Place) {
    this.#options = [
      ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
      ...(context === undefined ? [] : [`--context=${context}`]),
      `--namespace=${namespace}`,
    ];
  }

  /** Has the kubelets bring a changed list of models to the pods now; by themselves they take up to two minutes. */
  async touch(): Promise<void> {
    const annotation = `ollama-stack/models-requested=${String(Date.now())}`;
    await this.#kubectl("annotate", "pods", "--selector=app=ollama", "--overwrite", annotation);
  }

  async rollout(): Promise<Rollout> {
    const [set, { items }] = await Promise.all([
      this.#get(statefulSet, "statefulset", "ollama"),
      this.#get(podList, "pods", "--selector=app=ollama"),
    ]);
    const { observedGeneration = 0, updateRevision } = set.status;
    const pods = await Promise.all(
      items
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(async ({ metadata: { name, labels }, status }) => ({
          name,
          isUpdated: labels["controller-revision-hash"] === updateRevision,
          isReady: status.conditions.some((each) => each.type === "Ready" && each.status === "True"),
          waiting: waitingFor(status),
          state: status.initContainerStatuses.some(({ state }) => state.running !== undefined)
            ? await this.#state(name)
            : undefined,
        })),
    );
    return { replicas: set.spec.replicas, isObserved: observedGeneration >= set.metadata.generation, pods };
  }

  /** Undefined when the container is just starting or ending. */
  async #state(pod: string): Promise<KeeperState | undefined> {
    const script = `process.stdout.write(require("node:fs").readFileSync("/state/state.json"))`;
    try {
      const text = await this.#kubectl("exec", pod, "--container=models", "--", "node", "--eval", script);
      return keeperState.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  async #get<Schema extends z.ZodType>(schema: Schema, ...what: string[]): Promise<z.output<Schema>> {
    return schema.parse(JSON.parse(await this.#kubectl("get", ...what, "--output=json")));
  }

  async #kubectl(...args: string[]): Promise<string> {
    let end;
    try {
      end = await runProcess("kubectl", [...this.#options, ...args], { timeoutMs: answersWithinMs });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new Error("kubectl is not on the path. Install it: https://kubernetes.io/docs/tasks/tools/", {
        cause: error,
      });
    }
    if (end.code === 0) return end.stdout;
    throw new Error(`kubectl ${args.slice(0, 2).join(" ")} failed: ${end.stderr.trim()}`);
  }
}

type Status = z.output<typeof podList>["items"][number]["status"];

function waitingFor(status: Status): string | undefined {
  const scheduled = status.conditions.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") return scheduled.message ?? "it has no node";
  for (const { name, state } of [...status.initContainerStatuses, ...status.containerStatuses]) {
    const { reason, message } = state.waiting ?? {};
    if (reason === undefined || /^(PodInitializing|ContainerCreating)$/.test(reason)) continue;
    return [`container ${name}`, reason, message].filter(Boolean).join(": ");
  }
  return undefined;
}
