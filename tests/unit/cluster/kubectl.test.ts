import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { ClusterAddress } from "../../../cluster/address.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { listPods } from "../../../cluster/pods.ts";
import { forwardPort } from "../../../cluster/port-forward.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// What kubectl prints here, kubectl 1.37 printed with the cluster of the tests.

const recorded = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const address: ClusterAddress = { kubeconfig: "/etc/k", context: "lab", namespace: "llm" };
const begin = "--kubeconfig=/etc/k --context=lab --namespace=llm";
const kubectl = new Kubectl(address);
const credentialProgram =
  "Unable to connect to the server: getting credentials: exec: executable aws-iam-authenticator not found";

describe("kubectl", () => {
  it("is given the cluster that the config names", async () => {
    program.mock({ [begin]: "fine" });
    expect(await kubectl.run(["get", "pods"])).toBe("fine");
    expect(program.calls).toEqual([`${begin} get pods`]);
  });

  it("takes its own cluster where the config names none", async () => {
    program.mock({ "get pods": "fine" });
    await new Kubectl({ kubeconfig: "", context: "", namespace: "" }).run(["get", "pods"]);
    expect(program.calls).toEqual(["get pods"]);
  });

  it.each([
    [
      "no such context",
      "Error in configuration: context was not found for specified context: lab",
      "kubeContext is lab, but /etc/k has no such context. Set it to one that exists: kubectl config get-contexts lists them.",
    ],
    [
      "a program for credentials that is not installed",
      `${credentialProgram}\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.`,
      "/etc/k logs in with the program aws-iam-authenticator, which is not on the path. Install it, or set kubeconfig to a file that logs in another way.",
    ],
    [
      "no such file",
      "error: stat /etc/k: no such file or directory",
      "kubeconfig is /etc/k, but there is no such file. Set it to the file that your cluster's tools wrote.",
    ],
    [
      "a file that is no kubeconfig",
      'error: error loading config file "/etc/k": yaml: line 1: did not find expected node content',
      "The kubeconfig /etc/k cannot be read: yaml: line 1: did not find expected node content. Write it again with your cluster's tools.",
    ],
    [
      "no cluster at all",
      'E1128 20:59:12.839144   19076 memcache.go:381] "Couldn\'t get current server API group list" err="Get \\"http://localhost:8080/api?timeout=32s\\": dial tcp 127.0.0.1:8080: connect: connection refused"\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?',
      "No kubeconfig names a cluster. Set the config key kubeconfig to its file, or KUBECONFIG, or put it into ~/.kube/config.",
    ],
    [
      "a cluster that does not run",
      "The connection to the server 198.19.77.10:6444 was refused - did you specify the right host or port?",
      "The cluster does not respond: nothing listens at 198.19.77.10:6444. Check that the cluster runs and that the config keys kubeconfig and kubeContext name it.",
    ],
    [
      "a missing right",
      'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
      'The cluster does not allow it: pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default". docs/kubernetes.md lists the rights that a stack needs.',
    ],
    [
      "anything else, without the noise before it",
      'E1128 20:59:12.839144   19076 memcache.go:381] "noise"\nerror: Metrics API not available',
      "kubectl get pods failed: error: Metrics API not available",
    ],
  ])("explains %s", async (_what, fails, message) => {
    program.mock({ [begin]: { fails } });
    await expect(kubectl.run(["get", "pods"])).rejects.toThrow(new ClusterError(message, fails));
  });

  it("says how to get it where it is missing", async () => {
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

  it("finds nothing where an object does not exist, and fails for any other reason", async () => {
    const named = z.object({ kind: z.string() });
    program.mock({ [begin]: { fails: 'Error from server (NotFound): secrets "nope" not found' } });
    expect(await kubectl.find(named, "secret", "nope")).toBeUndefined();
    program.mock({ [begin]: { fails: "error: Metrics API not available" } });
    await expect(kubectl.find(named, "secret", "nope")).rejects.toThrow("Metrics API");
  });

  it.each([
    ["context", "Error in configuration: context was not found for specified context: gone"],
    ["program for credentials", credentialProgram],
  ])("takes a %s that is not found for no missing object", async (_what, fails) => {
    program.mock({ [begin]: { fails } });
    await expect(kubectl.find(z.object({}), "namespace", "llm")).rejects.toMatchObject({
      name: "ClusterError",
      isNotFound: false,
    });
  });

  it("reads no file of a container that does not run", async () => {
    program.mock({
      [`${begin} exec`]: { fails: "error: unable to upgrade connection: container not found" },
    });
    expect(await kubectl.readFile("ollama-0", "models", "/state/state.json")).toBeUndefined();
  });
});

describe("the pods of a namespace", () => {
  it("are read with node, readiness, restarts and containers", async () => {
    program.mock({ [`${begin} get pods --output=json`]: recorded("pods") });
    expect(await listPods(kubectl)).toMatchObject([
      {
        name: "gateway-57bc85f786-nvv6f",
        app: "gateway",
        node: "n2",
        phase: "Running",
        isReady: true,
        isGoing: false,
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

  it("tell why one does not run", async () => {
    const list = JSON.parse(recorded("pods")) as { items: { status: Record<string, unknown> }[] };
    const [gateway, ollama] = list.items;
    if (gateway === undefined || ollama === undefined) throw new Error("two were recorded");
    const scheduler = "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.";
    gateway.status = {
      phase: "Pending",
      conditions: [{ type: "PodScheduled", status: "False", message: scheduler }],
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
    program.mock({ [begin]: JSON.stringify(list) });
    expect(await listPods(kubectl, "app=ollama")).toMatchObject([
      { isReady: false, waiting: scheduler, running: [] },
      { waiting: "container ollama: CrashLoopBackOff: back-off 40s", restarts: 3, wasOutOfMemory: true },
    ]);
    expect(program.calls).toEqual([`${begin} get pods --selector=app=ollama --output=json`]);
  });
});
