import { readFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { ClusterAddress } from "../../../cluster/address.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { gatewayTarget, isSuperseded } from "../../../cluster/gateway-target.ts";
import { listPods } from "../../../cluster/pods.ts";
import { forwardPort, keepForwarded, withForward } from "../../../cluster/port-forward.ts";
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

describe("a forwarded port", () => {
  afterEach(() => {
    program.mock({});
  });
  const lines = "Forwarding from 127.0.0.1:41234 -> 8000\nForwarding from [::1]:41234 -> 8000\n";

  it("is the one that kubectl chose, and is there while the work lasts", async () => {
    program.mock({ [begin]: lines });
    const url = await withForward(kubectl, "service/gateway", "http", (at) => Promise.resolve(at));
    expect(url).toBe("http://127.0.0.1:41234");
    expect(program.calls).toEqual([`${begin} port-forward service/gateway :http --address=127.0.0.1`]);
  });

  it("is there again when its pod was replaced, until it is not needed any more", async () => {
    program.mock({ [begin]: lines });
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    const target = () => Promise.resolve("service/gateway");
    const gateway = { target, port: "http", localPort: 41_234 };
    let ready = 0;
    const done = keepForwarded(kubectl, gateway, until, () => (ready += 1));
    await expect.poll(() => program.calls.length).toBeGreaterThan(2);
    end(undefined);
    await done;
    expect(ready).toBe(1);
    expect(new Set(program.calls)).toEqual(
      new Set([`${begin} port-forward service/gateway 41234:http --address=127.0.0.1`]),
    );
  });

  it("moves to the gateway that took over from one that froze, and not because one could not look", async () => {
    program.mock({ [begin]: { hangs: true, prints: lines } });
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    const targets = ["pod/gateway-a", "pod/gateway-b"];
    const looks: string[] = [];
    const gateway = {
      target: () => Promise.resolve(targets.shift() ?? "none"),
      isSuperseded: (target: string) => {
        looks.push(target);
        if (looks.length === 1) return Promise.reject(new ClusterError("the API server is away"));
        return Promise.resolve(target === "pod/gateway-a");
      },
      port: "http",
      localPort: 41_234,
      checkEveryMs: 1,
    };
    const done = keepForwarded(kubectl, gateway, until, () => undefined);
    await expect.poll(() => looks.filter((target) => target === "pod/gateway-b").length).toBeGreaterThan(1);
    end(undefined);
    await done;
    expect(looks.filter((target) => target === "pod/gateway-a")).toHaveLength(2);
    expect(program.calls.map((call) => /pod\/\S+/.exec(call)?.[0])).toEqual([
      "pod/gateway-a",
      "pod/gateway-b",
    ]);
  });

  it("says so when its port on this machine is in use", async () => {
    const fails =
      "Unable to listen on port 8000: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:8000: bind: address already in use]\nerror: unable to listen on any of the requested ports: [{8000 8000}]";
    program.mock({ [begin]: { fails } });
    await expect(forwardPort(kubectl, "service/gateway", 8000, 8000)).rejects.toThrow(
      "Port 8000 of this machine is in use. End what listens there, perhaps an npm run forward or npm run open that still runs.",
    );
  });

  it("fails with kubectl's reason where there is nothing to forward to", async () => {
    program.mock({ [begin]: { fails: 'Error from server (NotFound): services "gateway" not found' } });
    await expect(forwardPort(kubectl, "service/gateway", 8000, 9000)).rejects.toThrow(
      'kubectl port-forward service/gateway failed: Error from server (NotFound): services "gateway" not found',
    );
    expect(program.calls).toEqual([`${begin} port-forward service/gateway 9000:8000 --address=127.0.0.1`]);
  });
});

describe("a port of the gateway", () => {
  const pod = (name: string, ready: "True" | "False") => ({
    metadata: { name, labels: { app: "gateway" } },
    status: { phase: "Running", conditions: [{ type: "Ready", status: ready }] },
  });
  const pods = (...items: object[]) => JSON.stringify({ items });
  const slice = (name: string) => JSON.stringify({ endpoints: [{ targetRef: { name } }] });
  const withoutSelector = { [`${begin} get service gateway`]: '{"spec": {}}' };

  it("is forwarded from its Service where that has a selector, or is not there", async () => {
    program.mock({ [`${begin} get service gateway`]: '{"spec": {"selector": {"app": "gateway"}}}' });
    expect(await gatewayTarget(kubectl)).toBe("service/gateway");
    program.mock({ [begin]: { fails: 'Error from server (NotFound): services "gateway" not found' } });
    expect(await gatewayTarget(kubectl)).toBe("service/gateway");
  });

  it("is forwarded from the active pod where others stand by", async () => {
    program.mock({
      ...withoutSelector,
      [`${begin} get endpointslice gateway-active`]: slice("gateway-b"),
      [`${begin} get pods`]: pods(pod("gateway-a", "True"), pod("gateway-b", "True")),
    });
    expect(await gatewayTarget(kubectl)).toBe("pod/gateway-b");
  });

  it("is superseded when another gateway is active and its own pod stays", async () => {
    const going = { ...pod("gateway-a", "True"), metadata: { name: "gateway-a", deletionTimestamp: "now" } };
    const look = (active: string, own: object) => {
      program.mock({
        ...withoutSelector,
        [`${begin} get endpointslice gateway-active`]: slice(active),
        [`${begin} get pods`]: pods(own, pod("gateway-b", "True")),
      });
      return isSuperseded(kubectl, "pod/gateway-a");
    };
    expect(await look("gateway-b", pod("gateway-a", "False"))).toBe(true);
    expect(await look("gateway-a", pod("gateway-a", "True"))).toBe(false);
    // It finishes its requests.
    expect(await look("gateway-b", going)).toBe(false);
    // Its forwarding ends by itself.
    expect(await look("gateway-b", pod("gateway-c", "True"))).toBe(false);
    expect(await isSuperseded(kubectl, "service/gateway")).toBe(false);
  });

  it("waits for a gateway that takes over from one that is gone", async () => {
    const before = {
      ...withoutSelector,
      [`${begin} get endpointslice gateway-active`]: slice("gateway-a"),
      [`${begin} get pods`]: pods(pod("gateway-b", "True")),
    };
    program.mock(before);
    const target = gatewayTarget(kubectl);
    await expect
      .poll(() => program.calls.filter((call) => call.includes(" get pods")).length)
      .toBeGreaterThan(1);
    program.mock({ ...before, [`${begin} get endpointslice gateway-active`]: slice("gateway-b") });
    expect(await target).toBe("pod/gateway-b");
  });
});
