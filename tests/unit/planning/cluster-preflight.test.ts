import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inspectCluster } from "../../../components/planning/cluster/preflight.ts";
import { objectTypes, optionalKinds } from "../../../components/config/kubernetes/cluster-objects.ts";
import { demandOf } from "../../../components/planning/cluster/demand.ts";
import {
  accessReviews,
  clusterRights,
  namespaceRights,
} from "../../../components/planning/cluster/rights.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const read = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});

// As kubectl prints several objects: one after the other.
const review = (resource: string, verb: string, allowed: boolean) =>
  JSON.stringify(
    {
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace: "llm", resource, verb } },
      status: { allowed },
    },
    undefined,
    4,
  );
const allowed = [review("secrets", "get", true), review("secrets", "create", true)].join("\n");
const fit = {
  "version --output=json": read("version"),
  "create --validate=false --filename=- --output=json": allowed,
  "get nodes --output=json": read("nodes"),
};
const classes = (...names: string[]) =>
  JSON.stringify({ items: names.map((name) => ({ metadata: { name } })) });
const config: Parameters<typeof demandOf>[0] = {
  kubeconfig: "",
  kubeContext: "",
  storageClass: "",
  ollamaReplicas: 2,
  nodeSelector: {},
  tolerations: [],
  gpus: "none",
  gpuResource: "nvidia.com/gpu",
  gpusPerPod: 0,
  ingressClass: "",
  ingressHostnames: [],
  autoscaling: "none",
  ollamaMinReplicas: 1,
  podMonitor: false,
  gatewayReplicas: 1,
  gatewayMaxReplicas: 1,
  state: "memory",
  statePasswordSecret: "",
};
const demand = demandOf(config, "llm");

describe("a cluster", () => {
  it("without a metrics API is warned of where it is to scale gateways", async () => {
    const scaled = { ...demand, needsCpuMetrics: true };
    const metrics = "get --raw=/apis/metrics.k8s.io/v1beta1";
    program.mock({ ...fit, [metrics]: { fails: "Error from server (NotFound): the server could not find" } });
    expect(await inspectCluster(scaled)).toMatchObject({
      problems: [],
      warnings: [
        "The cluster has no metrics API, so gatewayMaxReplicas has no effect. Install metrics-server, or set gatewayMaxReplicas to 1.",
      ],
    });
    program.mock({ ...fit, [metrics]: "{}" });
    expect((await inspectCluster(scaled)).warnings).toEqual([]);
    expect(demandOf({ ...config, gatewayMaxReplicas: 4 }, "llm").needsCpuMetrics).toBe(true);
    expect(demand.needsCpuMetrics).toBe(false);
  });

  it("whose namespace lacks the password of the shared state is refused, and only the names of entries are read", async () => {
    const entries = "get secret valkey --namespace=llm";
    const shared = { ...demand, statePasswordSecret: "valkey" };
    program.mock({
      ...fit,
      [entries]: { fails: 'Error from server (NotFound): secrets "valkey" not found' },
    });
    const problem =
      "statePasswordSecret is valkey, but the namespace llm has no Secret of that name with the entry password. If the namespace does not exist, create it with: kubectl create namespace llm. Create the Secret with: kubectl create secret generic valkey --namespace llm --from-file=password=FILE";
    expect((await inspectCluster(shared)).problems).toEqual([problem]);
    expect(program.calls).toContain(
      `${entries} --output=go-template={{range $key, $value := .data}}{{$key}} {{end}}`,
    );
    program.mock({ ...fit, [entries]: "user " });
    expect((await inspectCluster(shared)).problems).toEqual([problem]);
    program.mock({ ...fit, [entries]: "password user " });
    expect((await inspectCluster(shared)).problems).toEqual([]);
  });

  it("that has all a stack needs is fit", async () => {
    program.mock(fit);
    expect(await inspectCluster(demand)).toEqual({ version: "1.37", problems: [], warnings: [] });
  });

  it("that does not give the rights is refused, with those that are missing", async () => {
    const reviews = [
      review("secrets", "create", false),
      review("secrets", "patch", false),
      review("namespaces", "create", false),
      review("pods", "get", true),
    ];
    program.mock({ ...fit, "create --validate=false --filename=- --output=json": reviews.join("\n") });
    const { problems } = await inspectCluster(demand);
    expect(problems).toEqual([
      "You are not allowed to create and patch secrets; create namespaces for the namespace llm. Ask the cluster's administrator for the roles in docs/kubernetes.md.",
    ]);
  });

  it.each([
    [
      classes(),
      "storageClass is fast, but the cluster has no storage class. Install a volume provisioner, or leave storageClass empty: models are then deleted with their pods.",
    ],
    [
      classes("standard", "local"),
      "storageClass is fast, but the cluster has only standard, local. Set it to one of these, or leave it empty: models are then deleted with their pods.",
    ],
  ])("without the storage class is refused: %s", async (found, problem) => {
    program.mock({ ...fit, "get storageclasses": found });
    expect((await inspectCluster({ ...demand, storageClass: "fast" })).problems).toEqual([problem]);
    program.mock({ ...fit, "get storageclasses": classes("fast") });
    expect((await inspectCluster({ ...demand, storageClass: "fast" })).problems).toEqual([]);
  });

  it.each<[string, Partial<typeof config>, string, string[]]>([
    [
      "KEDA",
      { autoscaling: "keda" },
      "keda.sh/v1alpha1",
      [
        "The cluster has no kind ScaledObject (keda.sh/v1alpha1), which autoscaling keda needs. Install KEDA, or set autoscaling to none or hpa.",
        "The cluster has no kind TriggerAuthentication (keda.sh/v1alpha1), which autoscaling keda needs. Install KEDA, or set autoscaling to none or hpa.",
      ],
    ],
    [
      "the Gateway API",
      { ingressHostnames: ["llm.example.org"] },
      "gateway.networking.k8s.io/v1",
      ["Gateway", "HTTPRoute"].map(
        (kind) =>
          `The cluster has no kind ${kind} (gateway.networking.k8s.io/v1), which gatewayClass needs. Install the Gateway API and an implementation, or set ingressClass instead.`,
      ),
    ],
    [
      "the Prometheus operator",
      { podMonitor: true },
      "monitoring.coreos.com/v1",
      [
        "The cluster has no kind PodMonitor (monitoring.coreos.com/v1), which podMonitor needs. Install the Prometheus operator, or set podMonitor to false.",
      ],
    ],
  ])("without %s is refused where the config needs it", async (_what, set, api, problems) => {
    const wanted = demandOf({ ...config, ...set }, "llm");
    const absent = {
      fails: "Error from server (NotFound): the server could not find the requested resource",
    };
    program.mock({ ...fit, [`get --raw=/apis/${api}`]: absent });
    expect((await inspectCluster(wanted)).problems).toEqual(problems);
    const kinds = JSON.stringify({ resources: wanted.optional.map(({ kind }) => ({ kind })) });
    program.mock({ ...fit, [`get --raw=/apis/${api}`]: kinds });
    expect((await inspectCluster(wanted)).problems).toEqual([]);
  });

  it("that has Kubernetes' own kinds is not asked for them", async () => {
    program.mock(fit);
    const wanted = demandOf(
      { ...config, autoscaling: "hpa", ingressClass: "nginx", ingressHostnames: ["llm.example.org"] },
      "llm",
    );
    expect((await inspectCluster(wanted)).problems).toEqual([]);
  });

  it("that is too old is refused", async () => {
    const old = read("version").replaceAll('"minor": "37"', '"minor": "29+"');
    program.mock({ ...fit, "version --output=json": old });
    expect((await inspectCluster(demand)).problems).toEqual([
      "The cluster runs Kubernetes 1.29, but a stack needs 1.30 or newer. Upgrade the cluster.",
    ]);
  });

  it("whose nodes one may not see is not judged by them", async () => {
    const forbidden = {
      fails:
        'Error from server (Forbidden): nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
    };
    program.mock({ ...fit, "get nodes --output=json": forbidden, "get storageclasses": forbidden });
    const found = await inspectCluster({ ...demand, replicas: 99, storageClass: "fast" });
    expect(found.problems).toEqual([]);
  });

  it("that does not respond fails with the reason", async () => {
    const fails =
      "The connection to the server 198.19.77.10:6444 was refused - did you specify the right host or port?";
    program.mock({ version: { fails } });
    await expect(inspectCluster(demand)).rejects.toThrow(
      "The cluster does not respond: nothing listens at 198.19.77.10:6444.",
    );
  });
});

describe("the rights that are asked for", () => {
  const asked = (set: Partial<typeof config> = {}) => {
    const { optional, granted } = demandOf({ ...config, ...set }, "llm");
    return accessReviews("llm", optional, granted).map(({ spec }) => spec.resourceAttributes);
  };

  it("are about the stack's own namespace where a role can name it", () => {
    const namespaces = asked().filter(({ resource }) => resource === "namespaces");
    const named = namespaces.filter((each) => "name" in each && each.name === "llm");
    expect(named.map(({ verb }) => verb)).toEqual(["get", "patch", "delete"]);
    expect(namespaces.filter((each) => !named.includes(each)).map(({ verb }) => verb)).toEqual([
      "list",
      "watch",
      "create",
    ]);
  });

  it.each([
    [{ ingressHostnames: ["a.example.org"], ingressClass: "nginx" }, ["networking.k8s.io/ingresses"]],
    [
      { ingressHostnames: ["a.example.org"] },
      ["gateway.networking.k8s.io/gateways", "gateway.networking.k8s.io/httproutes"],
    ],
    [{ autoscaling: "hpa" as const }, ["autoscaling/horizontalpodautoscalers"]],
    [{ autoscaling: "keda" as const }, ["keda.sh/scaledobjects", "keda.sh/triggerauthentications"]],
    [{ podMonitor: true }, ["monitoring.coreos.com/podmonitors"]],
    [
      { state: "redis" as const, gatewayReplicas: 2, gatewayMaxReplicas: 4 },
      ["autoscaling/horizontalpodautoscalers"],
    ],
    [
      { state: "redis" as const, gatewayReplicas: 2, gatewayMaxReplicas: 4, autoscaling: "hpa" as const },
      ["autoscaling/horizontalpodautoscalers"],
    ],
  ])("include those on what the config adds: %j", (set, added) => {
    const before = asked().length;
    const more = asked(set).slice(before);
    expect([...new Set(more.map(({ group, resource }) => `${group}/${resource}`))]).toEqual(added);
    expect(more.filter(({ verb }) => verb === "delete")).toHaveLength(added.length);
  });
});

/** The rules in the block of docs/kubernetes.md that has a role, each as one line. */
function rulesIn(role: string): readonly string[] {
  const text = readFileSync("docs/kubernetes.md", "utf8");
  const block = text.split("```").find((each) => each.includes(`  name: ${role}\n`)) ?? "";
  const rules = block.matchAll(
    /^\s*- apiGroups: \["(.*)"\]\n\s*resources: \[(.*)\]\n(?:\s*resourceNames: \[(.*)\]\n)?\s*verbs: \[(.*)\]$/gm,
  );
  return [...rules]
    .flatMap(([, group = "", resources = "", name, verbs = ""]) =>
      resources
        .split(", ")
        .map((resource) => `${group}/${resource}${name === undefined ? "" : ` ${name}`}: ${verbs}`),
    )
    .toSorted();
}

it("docs/kubernetes.md lists exactly the rights that are checked", () => {
  const checked = [...clusterRights, ...namespaceRights]
    .map(
      ({ group, resource, verbs, isOfNamespace }) =>
        `${group}/${resource}${isOfNamespace === true ? " ollama-stack-cluster" : ""}: ${verbs.join(", ")}`,
    )
    .toSorted();
  expect(rulesIn("ollama-stack")).toEqual(checked);
});

it("docs/kubernetes.md lists exactly the further rights that gateways need to stand by", () => {
  const { optional, granted } = demandOf({ ...config, gatewayReplicas: 2 }, "llm");
  const objects = optional.map(({ apiVersion, resource }) => {
    const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
    return `${group}/${resource}: get, list, watch, create, patch, delete`;
  });
  const given = granted.map(({ group, resource, verbs, name }) => {
    const named = name === undefined ? "" : ` ${name}`;
    return `${group}/${resource}${named}: ${verbs.join(", ")}`;
  });
  expect(given).toHaveLength(4);
  expect(rulesIn("ollama-stack-standby")).toEqual([...objects, ...given].toSorted());
});

it("the rights that gateways get to stand by are asked for by the names of their objects", () => {
  const { optional, granted } = demandOf({ ...config, gatewayReplicas: 2 }, "llm");
  const asked = accessReviews("llm", optional, granted).map(({ spec }) => spec.resourceAttributes);
  expect(asked).toContainEqual({
    namespace: "llm",
    name: "gateway",
    group: "coordination.k8s.io",
    resource: "leases",
    verb: "update",
  });
  expect(asked).toContainEqual({
    namespace: "llm",
    group: "discovery.k8s.io",
    resource: "endpointslices",
    verb: "create",
  });
  expect(demandOf({ ...config, state: "redis", gatewayReplicas: 2 }, "llm").granted).toEqual([]);
});

it("docs/kubernetes.md names what needs further rights", () => {
  const text = readFileSync("docs/kubernetes.md", "utf8");
  const [, line = ""] = /^(The verbs of `configmaps` .*)$/m.exec(text) ?? [];
  const all = [
    { ingressClass: "nginx", autoscaling: "hpa" as const },
    { autoscaling: "keda" as const },
  ].flatMap((set) =>
    optionalKinds({ ...config, podMonitor: true, ingressHostnames: ["a.example.org"], ...set }),
  );
  expect(all.filter((kind) => !line.includes(`\`${objectTypes[kind].resource}\``))).toEqual([]);
});
