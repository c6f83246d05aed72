import { z } from "zod";
import { ClusterError, Kubectl } from "../../cluster/kubectl.ts";
import { listPods } from "../../cluster/pods.ts";
import { keys } from "../../components/config/keys.ts";
import { type ClusterDemand, demandKeys, demandOf } from "../../components/planning/cluster/demand.ts";
import { inspectCluster } from "../../components/planning/cluster/preflight.ts";
import { clusterNamespace } from "../../engine/names.ts";
import { clusterOf } from "../stack/cluster-outputs.ts";
import { type Settings, textSetting } from "../stack/settings.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

const client = z.object({ clientVersion: z.object({ gitVersion: z.string() }) });

/** Checks kubectl, the cluster, the stack's requirements and its pods. */
export async function checkCluster(stack: string, settings: Settings): Promise<Finding[]> {
  const namespace = clusterNamespace(stack, textSetting(settings, "namespace"));
  const kubectl = new Kubectl(clusterOf(settings, namespace));
  const demand = readDemand(settings, namespace);
  if (demand === undefined)
    return [
      problem(
        "config",
        "a value is not allowed",
        `npm run preview -- --stack ${stack} names the value and what is allowed.`,
      ),
    ];
  try {
    const { clientVersion } = client.parse(
      JSON.parse(await kubectl.run(["version", "--client", "--output=json"])),
    );
    const found = await inspectCluster(demand);
    return [
      ok("kubectl", clientVersion.gitVersion),
      ok("cluster", `Kubernetes ${found.version}, namespace ${namespace}`),
      ...found.problems.map((line) => split(line, problem)),
      ...found.warnings.map((line) => split(line, warning)),
      ...(found.problems.length === 0
        ? [ok("cluster", "rights, storage class and nodes are as the stack needs them")]
        : []),
      await checkMetrics(kubectl),
      ...(await checkPods(stack, kubectl)),
    ];
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return [split(error.message, problem)];
  }
}

const demandSchema = keys.pick(
  Object.fromEntries(demandKeys.map((key) => [key, true])) as Record<(typeof demandKeys)[number], true>,
);
const structured: ReadonlySet<string> = new Set(["nodeSelector", "tolerations", "ingressHostnames"]);

/** The settings' requirements on the cluster; undefined if a value is invalid. Exported for its test. */
export function readDemand(settings: Settings, namespace: string): ClusterDemand | undefined {
  const values = demandKeys.map((key) => {
    const value = settings(key);
    // `pulumi config set` writes strings; a hand-written file contains typed values.
    if (structured.has(key)) return [key, typeof value === "string" ? parseJson(value) : value];
    return [key, String(value)];
  });
  const { data } = demandSchema.safeParse(Object.fromEntries(values));
  return data === undefined ? undefined : demandOf(data, namespace);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Splits a message into the problem and the advice. */
function split(message: string, make: typeof problem): Finding {
  const end = message.search(/\. (?=[A-Z])/);
  return end === -1
    ? make("cluster", message, "See docs/kubernetes.md.")
    : make("cluster", message.slice(0, end), message.slice(end + 2));
}

async function checkMetrics(kubectl: Kubectl): Promise<Finding> {
  try {
    await kubectl.run(["get", "--raw=/apis/metrics.k8s.io/v1beta1"]);
    return ok("metrics", "the cluster has a metrics API: kubectl top works");
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return ok(
      "metrics",
      "the cluster has no metrics API, which only kubectl top and autoscaling by CPU need",
    );
  }
}

async function checkPods(stack: string, kubectl: Kubectl): Promise<Finding[]> {
  const pods = await listPods(kubectl);
  return pods.map(({ name, node, isReady, waiting, restarts, wasOutOfMemory }) => {
    const found = `${name} on ${node ?? "no node"}: ${isReady ? "ready" : (waiting ?? "not ready")}, restarted ${String(restarts)} times`;
    if (wasOutOfMemory)
      return warning(
        "pod",
        `${found}, once out of memory`,
        "Raise its memory: ollamaMemoryMiB, gatewayMemoryMiB or stateMemoryMiB.",
      );
    if (!isReady) return warning("pod", found, `npm run status -- --stack ${stack} shows what it waits for.`);
    return ok("pod", found);
  });
}
