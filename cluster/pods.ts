import { z } from "zod";
import type { Kubectl } from "./kubectl.ts";

const containerStatus = z.object({
  name: z.string(),
  restartCount: z.number().default(0),
  state: z
    .object({
      waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
      running: z.object({}).optional(),
    })
    .default({}),
  lastState: z.object({ terminated: z.object({ reason: z.string().optional() }).optional() }).default({}),
});

const named = z.object({ name: z.string() });
const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
        creationTimestamp: z.string().default(""),
        deletionTimestamp: z.string().optional(),
      }),
      spec: z
        .object({
          nodeName: z.string().optional(),
          initContainers: z.array(named).default([]),
          containers: z.array(named).default([]),
        })
        .default({ initContainers: [], containers: [] }),
      status: z.object({
        phase: z.string(),
        startTime: z.string().optional(),
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), message: z.string().optional() }))
          .default([]),
        initContainerStatuses: z.array(containerStatus).default([]),
        containerStatuses: z.array(containerStatus).default([]),
      }),
    }),
  ),
});

/** Assigning a node, attaching volumes and a network, or pulling images. */
export type StartStep = "scheduling" | "attaching" | "pulling";

/** A pod of a stack. */
export interface PodState {
  readonly name: string;
  /** Its component of the stack: "ollama", "gateway". */
  readonly app: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined while it has none. */
  readonly node: string | undefined;
  /** Pending, Running, Succeeded, Failed or Unknown. */
  readonly phase: string;
  readonly isReady: boolean;
  readonly isTerminating: boolean;
  /** Why it does not run yet, as reported by Kubernetes. */
  readonly waiting: string | undefined;
  /** What its start takes time for; undefined for anything else. */
  readonly startStep: StartStep | undefined;
  /** Sum of its containers. */
  readonly restarts: number;
  /** Whether one of its containers was restarted after running out of memory. */
  readonly wasOutOfMemory: boolean;
  readonly since: string;
  /** Containers, followed by sidecars. */
  readonly containers: readonly string[];
  /** The running containers. */
  readonly running: readonly string[];
}

/** The pods of the namespace, or those with a label, by name. @throws ClusterError */
export async function listPods(kubectl: Kubectl, selector?: string): Promise<PodState[]> {
  const only = selector === undefined ? [] : [`--selector=${selector}`];
  const { items } = await kubectl.get(podList, "pods", ...only);
  return items
    .map(({ metadata, spec, status }) => {
      const containers = [...status.containerStatuses, ...status.initContainerStatuses];
      return {
        name: metadata.name,
        app: metadata.labels["app"] ?? "",
        labels: metadata.labels,
        node: spec.nodeName,
        phase: status.phase,
        isReady: status.conditions.some((each) => each.type === "Ready" && each.status === "True"),
        isTerminating: metadata.deletionTimestamp !== undefined,
        waiting: waitingFor(status),
        startStep: startStepOf(status),
        restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
        wasOutOfMemory: containers.some(({ lastState }) => lastState.terminated?.reason === "OOMKilled"),
        since: status.startTime ?? metadata.creationTimestamp,
        containers: [...spec.containers, ...spec.initContainers].map(({ name }) => name),
        running: containers.filter(({ state }) => state.running !== undefined).map(({ name }) => name),
      };
    })
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

// Reasons of a container that Kubernetes is about to start.
const beingCreated = /^(PodInitializing|ContainerCreating)$/;

type Status = z.output<typeof podList>["items"][number]["status"];

function waitingFor({ conditions, initContainerStatuses, containerStatuses }: Status): string | undefined {
  const scheduled = conditions.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status === "False") return scheduled.message ?? "it has no node";
  for (const { name, state } of [...initContainerStatuses, ...containerStatuses]) {
    const { reason, message } = state.waiting ?? {};
    if (reason === undefined || beingCreated.test(reason)) continue;
    return [`container ${name}`, reason, message].filter(Boolean).join(": ");
  }
  return undefined;
}

function startStepOf(status: Status): StartStep | undefined {
  const isFalse = (type: string) =>
    status.conditions.some((each) => each.type === type && each.status === "False");
  if (isFalse("PodScheduled")) return "scheduling";
  const containers = [...status.initContainerStatuses, ...status.containerStatuses];
  if (waitingFor(status) !== undefined) return undefined;
  if (!containers.some(({ state }) => beingCreated.test(state.waiting?.reason ?? ""))) return undefined;
  return isFalse("PodReadyToStartContainers") ? "attaching" : "pulling";
}
