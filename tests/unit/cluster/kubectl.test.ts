import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { ClusterAddress } from "../../../cluster/address.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { listPods } from "../../../cluster/pods.ts";
import { forwardPort } from "../../../cluster/port-forward.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// The output of kubectl in this file was recorded with kubectl 1.37 and the test cluster.

const recorded = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const fakeKubectl = new FakeDocker("kubectl");
afterAll(() => {
  fakeKubectl.remove();
});
const address: ClusterAddress = { kubeconfig: "/etc/k", context: "lab", namespace: "llm" };
const globalFlags = "--kubeconfig=/etc/k --context=lab --namespace=llm";
const kubectl = new Kubectl(address);
const missingCredentialPlugin =
  "Unable to connect to the server: getting credentials: exec: executable aws-iam-authenticator not found";

describe("kubectl", () => {
  it("gets the config's kubeconfig, context and namespace", async () => {
    fakeKubectl.mock({ [globalFlags]: "fine" });
    expect(await kubectl.run(["get", "pods"])).toBe("fine");
    expect(fakeKubectl.calls).toEqual([`${globalFlags} get pods`]);
  });

  it("uses its own defaults if the config names no cluster", async () => {
    fakeKubectl.mock({ "get pods": "fine" });
    await new Kubectl({ kubeconfig: "", context: "", namespace: "" }).run(["get", "pods"]);
    expect(fakeKubectl.calls).toEqual(["get pods"]);
  });

  it.each([
    [
      "a missing context",
      "Error in configuration: context was not found for specified context: lab",
      "kubeContext is lab, but /etc/k has no such context. Set it to one that exists: kubectl config get-contexts lists them.",
    ],
    [
      "a credential plugin that is not installed",
      `${missingCredentialPlugin}\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.`,
      "/etc/k logs in with the program aws-iam-authenticator, which is not on the path. Install it, or set kubeconfig to a file that logs in another way.",
    ],
    [
      "a missing kubeconfig",
      "error: stat /etc/k: no such file or directory",
      "kubeconfig is /etc/k, but there is no such file. Set it to the file that your cluster's tools wrote.",
    ],
    [
      "an invalid kubeconfig",
      'error: error loading config file "/etc/k": yaml: line 1: did not find expected node content',
      "The kubeconfig /etc/k cannot be read: yaml: line 1: did not find expected node content. Write it again with your cluster's tools.",
    ],
    [
      "the absence of a kubeconfig",
      'E1128 20:59:12.839144   19076 memcache.go:381] "Couldn\'t get current server API group list" err="Get \\"http://localhost:8080/api?timeout=32s\\": dial tcp 127.0.0.1:8080: connect: connection refused"\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?',
      "No kubeconfig names a cluster. Set the config key kubeconfig to its file, or KUBECONFIG, or put it into ~/.kube/config.",
    ],
    [
      "a cluster that is not running",
      "The connection to the server 198.19.77.10:6444 was refused - did you specify the right host or port?",
      "The cluster does not respond: nothing listens at 198.19.77.10:6444. Check that the cluster runs and that the config keys kubeconfig and kubeContext name it.",
    ],
    [
      "a missing permission",
      'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
      'The cluster does not allow it: pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default". docs/kubernetes.md lists the rights that a stack needs.',
    ],
    [
      "any other error without the log lines before it",
      'E1128 20:59:12.839144   19076 memcache.go:381] "noise"\nerror: Metrics API not available',
      "kubectl get pods failed: error: Metrics API not available",
    ],
  ])("explains %s", async (_what, fails, message) => {
    fakeKubectl.mock({ [globalFlags]: { fails } });
    await expect(kubectl.run(["get", "pods"])).rejects.toThrow(new ClusterError(message, fails));
  });

  it("explains how to install kubectl if it is missing", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = "/nonexistent";
    try {
      const install = "kubectl is not on the path. Install it: https://kubernetes.io/docs/tasks/tools/";
      await expect(kubectl.run(["get", "pods"])).rejects.toThrow(install);
      await expect(forwardPort(kubectl, "service/gateway", 8000)).rejects.toThrow(install);
    } finally {
      process.env["PATH"] = path;
    }
  });

  it("returns undefined for an object that does not exist and rejects on any other error", async () => {
    const named = z.object({ kind: z.string() });
    fakeKubectl.mock({ [globalFlags]: { fails: 'Error from server (NotFound): secrets "nope" not found' } });
    expect(await kubectl.find(named, "secret", "nope")).toBeUndefined();
    fakeKubectl.mock({ [globalFlags]: { fails: "error: Metrics API not available" } });
    await expect(kubectl.find(named, "secret", "nope")).rejects.toThrow("Metrics API");
  });

  it.each([
    ["context", "Error in configuration: context was not found for specified context: gone"],
    ["credential plugin", missingCredentialPlugin],
  ])("does not report a missing %s as a missing object", async (_what, fails) => {
    fakeKubectl.mock({ [globalFlags]: { fails } });
    await expect(kubectl.find(z.object({}), "namespace", "llm")).rejects.toMatchObject({
      name: "ClusterError",
      isNotFound: false,
    });
  });

  it("ignores that a pod is deleted while its volumes are synced", async () => {
    fakeKubectl.mock({ [globalFlags]: { fails: 'Error from server (NotFound): pods "ollama-1" not found' } });
    await kubectl.syncVolumes("app=ollama");
    fakeKubectl.mock({ [globalFlags]: { fails: "Error from server (Timeout): too busy" } });
    await expect(kubectl.syncVolumes("app=ollama")).rejects.toThrow("too busy");
  });

  it("returns undefined for a file in a container that is not running", async () => {
    fakeKubectl.mock({
      [`${globalFlags} exec`]: { fails: "error: unable to upgrade connection: container not found" },
    });
    expect(await kubectl.readFile("ollama-0", "models", "/state/state.json")).toBeUndefined();
  });
});

describe("the pods of a namespace", () => {
  it("are listed with node, readiness, restarts and containers", async () => {
    fakeKubectl.mock({ [`${globalFlags} get pods --output=json`]: recorded("pods") });
    expect(await listPods(kubectl)).toMatchObject([
      {
        name: "gateway-57bc85f786-nvv6f",
        app: "gateway",
        node: "n2",
        phase: "Running",
        isReady: true,
        isTerminating: false,
        waiting: undefined,
        restarts: 0,
        wasOutOfMemory: false,
        containers: ["gateway"],
        running: ["gateway"],
      },
      {
        name: "ollama-0",
        node: "n1",
        isReady: true,
        containers: ["ollama", "models"],
        running: ["ollama", "models"],
      },
    ]);
  });

  it("have the reason why one is not running", async () => {
    const list = JSON.parse(recorded("pods")) as { items: { status: Record<string, unknown> }[] };
    const [gateway, ollama] = list.items;
    if (gateway === undefined || ollama === undefined) throw new Error("the recording must contain two pods");
    const schedulerMessage = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.";
    gateway.status = {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", message: schedulerMessage }],
    };
    ollama.status = {
      phase: "Running",
      containerStatuses: [
        {
          name: "ollama",
          restartCount: 3,
          state: { waiting: { reason: "CrashLoopBackOff", message: "back-off 40s" } },
          lastState: { terminated: { reason: "OOMKilled" } },
        },
      ],
    };
    fakeKubectl.mock({ [globalFlags]: JSON.stringify(list) });
    expect(await listPods(kubectl, "app=ollama")).toMatchObject([
      { isReady: false, waiting: schedulerMessage, running: [] },
      { waiting: "container ollama: CrashLoopBackOff: back-off 40s", restarts: 3, wasOutOfMemory: true },
    ]);
    expect(fakeKubectl.calls).toEqual([`${globalFlags} get pods --selector=app=ollama --output=json`]);
  });

  const condition = (type: string, status: string) => ({ type, status });
  const created = { name: "models", state: { waiting: { reason: "ContainerCreating" } } };
  const waitingForSidecar = { name: "ollama", state: { waiting: { reason: "PodInitializing" } } };
  const running = { name: "models", state: { running: {} } };
  const failing = { name: "models", state: { waiting: { reason: "ErrImagePull" } } };
  it.each([
    ["scheduling", [condition("PodScheduled", "False")], []],
    ["attaching", [condition("PodReadyToStartContainers", "False")], [created]],
    ["pulling", [condition("PodReadyToStartContainers", "True")], [created]],
    ["pulling", [condition("PodReadyToStartContainers", "True")], [running, waitingForSidecar]],
    [undefined, [condition("PodReadyToStartContainers", "True")], [failing, waitingForSidecar]],
    [undefined, [condition("PodReadyToStartContainers", "True")], [running]],
  ])("have the step that a start takes time for: %s", async (startStep, conditions, containerStatuses) => {
    const item = {
      metadata: { name: "ollama-0" },
      status: { phase: "Pending", conditions, containerStatuses },
    };
    fakeKubectl.mock({ [globalFlags]: JSON.stringify({ items: [item] }) });
    expect(await listPods(kubectl)).toMatchObject([{ startStep }]);
  });
});
