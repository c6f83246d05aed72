import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inspectCluster } from "../../../components/planning/cluster/preflight.ts";
import { demandOf } from "../../../components/planning/cluster/demand.ts";
import { clusterConfig as config } from "../../../test-support/components/cluster-config.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const recorded = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const kubectl = new FakeDocker("kubectl");
afterAll(() => {
  kubectl.remove();
});

// kubectl prints several objects one after another.
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
const good = {
  "version --output=json": recorded("version"),
  "create --validate=false --filename=- --output=json": allowed,
  "get nodes --output=json": recorded("nodes"),
};
const storageClasses = (...names: string[]) =>
  JSON.stringify({ items: names.map((name) => ({ metadata: { name } })) });
const demand = demandOf(config, "llm");

describe("the preflight of a cluster", () => {
  it("warns about a missing metrics API if gateways are autoscaled", async () => {
    const scaled = { ...demand, needsCpuMetrics: true };
    const metrics = "get --raw=/apis/metrics.k8s.io/v1beta1";
    kubectl.mock({
      ...good,
      [metrics]: { fails: "Error from server (NotFound): the server could not find" },
    });
    expect(await inspectCluster(scaled)).toMatchObject({
      problems: [],
      warnings: [
        "The cluster has no metrics API, so gatewayMaxReplicas has no effect. Install metrics-server, or set gatewayMaxReplicas to 1.",
      ],
    });
    kubectl.mock({ ...good, [metrics]: "{}" });
    expect((await inspectCluster(scaled)).warnings).toEqual([]);
    expect(demandOf({ ...config, gatewayMaxReplicas: 4 }, "llm").needsCpuMetrics).toBe(true);
    expect(demand.needsCpuMetrics).toBe(false);
  });

  it("rejects a namespace without the password of the shared state, and reads only the names of entries", async () => {
    const entries = "get secret valkey --namespace=llm";
    const shared = { ...demand, statePasswordSecret: "valkey" };
    kubectl.mock({
      ...good,
      [entries]: { fails: 'Error from server (NotFound): secrets "valkey" not found' },
    });
    const problem =
      "statePasswordSecret is valkey, but the namespace llm has no Secret of that name with the entry password. If the namespace does not exist, create it with: kubectl create namespace llm. Create the Secret with: kubectl create secret generic valkey --namespace llm --from-file=password=FILE";
    expect((await inspectCluster(shared)).problems).toEqual([problem]);
    expect(kubectl.calls).toContain(
      `${entries} --output=go-template={{range $key, $value := .data}}{{$key}} {{end}}`,
    );
    kubectl.mock({ ...good, [entries]: "user " });
    expect((await inspectCluster(shared)).problems).toEqual([problem]);
    kubectl.mock({ ...good, [entries]: "password user " });
    expect((await inspectCluster(shared)).problems).toEqual([]);
  });

  it("rejects a namespace without the claim for the gateway's usage, before its only gateway is stopped", async () => {
    const claim = "get persistentvolumeclaim usage --namespace=llm";
    const demanded = demandOf({ ...config, gatewayUsageVolume: "usage" }, "llm");
    const error = (reason: string) => ({
      fails: `Error from server (${reason}): persistentvolumeclaims "usage"`,
    });
    kubectl.mock({ ...good, [claim]: error("NotFound") });
    expect((await inspectCluster(demanded)).problems).toEqual([
      "gatewayUsageVolume is usage, but the namespace llm has no PersistentVolumeClaim of that name. If the namespace does not exist, create it with: kubectl create namespace llm. Create the claim with kubectl apply, or leave gatewayUsageVolume empty.",
    ]);
    kubectl.mock({ ...good, [claim]: "persistentvolumeclaim/usage" });
    expect((await inspectCluster(demanded)).problems).toEqual([]);
    kubectl.mock({ ...good, [claim]: error("Forbidden") });
    expect((await inspectCluster(demanded)).problems).toEqual([]);
  });

  it("accepts a cluster with everything that a stack needs", async () => {
    kubectl.mock(good);
    expect(await inspectCluster(demand)).toEqual({ version: "1.37", problems: [], warnings: [] });
  });

  it("rejects missing rights and lists them", async () => {
    const reviews = [
      review("secrets", "create", false),
      review("secrets", "patch", false),
      review("namespaces", "create", false),
      review("pods", "get", true),
    ];
    kubectl.mock({ ...good, "create --validate=false --filename=- --output=json": reviews.join("\n") });
    const { problems } = await inspectCluster(demand);
    expect(problems).toEqual([
      "You are not allowed to create and patch secrets; create namespaces for the namespace llm. Ask the cluster's administrator for the roles in docs/kubernetes.md.",
    ]);
  });

  it.each([
    [
      storageClasses(),
      "storageClass is fast, but the cluster has no storage class. Install a volume provisioner, or leave storageClass empty: models are then deleted with their pods.",
    ],
    [
      storageClasses("standard", "local"),
      "storageClass is fast, but the cluster has only standard, local. Set it to one of these, or leave it empty: models are then deleted with their pods.",
    ],
  ])("rejects a missing storage class: %s", async (available, problem) => {
    kubectl.mock({ ...good, "get storageclasses": available });
    expect((await inspectCluster({ ...demand, storageClass: "fast" })).problems).toEqual([problem]);
    kubectl.mock({ ...good, "get storageclasses": storageClasses("fast") });
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
  ])("rejects a cluster without %s if the config needs it", async (_what, set, api, problems) => {
    const demanded = demandOf({ ...config, ...set }, "llm");
    const missingApi = {
      fails: "Error from server (NotFound): the server could not find the requested resource",
    };
    kubectl.mock({ ...good, [`get --raw=/apis/${api}`]: missingApi });
    expect((await inspectCluster(demanded)).problems).toEqual(problems);
    const kinds = JSON.stringify({ resources: demanded.optional.map(({ kind }) => ({ kind })) });
    kubectl.mock({ ...good, [`get --raw=/apis/${api}`]: kinds });
    expect((await inspectCluster(demanded)).problems).toEqual([]);
  });

  it("does not check for kinds that are part of Kubernetes", async () => {
    kubectl.mock(good);
    const demanded = demandOf(
      { ...config, autoscaling: "hpa", ingressClass: "nginx", ingressHostnames: ["llm.example.org"] },
      "llm",
    );
    expect((await inspectCluster(demanded)).problems).toEqual([]);
    expect(kubectl.calls.length).toBeGreaterThan(0);
    expect(kubectl.calls.join("\n")).not.toContain("--raw=/apis/");
  });

  it("rejects a version that is too old", async () => {
    const old = recorded("version").replaceAll('"minor": "37"', '"minor": "29+"');
    kubectl.mock({ ...good, "version --output=json": old });
    expect((await inspectCluster(demand)).problems).toEqual([
      "The cluster runs Kubernetes 1.29, but a stack needs 1.30 or newer. Upgrade the cluster.",
    ]);
  });

  it("skips the checks of nodes and storage classes without the right to list them", async () => {
    const forbidden = {
      fails:
        'Error from server (Forbidden): nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
    };
    kubectl.mock({ ...good, "get nodes --output=json": forbidden, "get storageclasses": forbidden });
    const result = await inspectCluster({ ...demand, replicas: 99, storageClass: "fast" });
    expect(result.problems).toEqual([]);
  });

  it("fails with the reason if the cluster does not respond", async () => {
    const fails =
      "The connection to the server 198.19.77.10:6444 was refused - did you specify the right host or port?";
    kubectl.mock({ version: { fails } });
    await expect(inspectCluster(demand)).rejects.toThrow(
      "The cluster does not respond: nothing listens at 198.19.77.10:6444.",
    );
  });
});
