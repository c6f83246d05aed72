import { afterAll, afterEach, describe, expect, it } from "vitest";
import { gatewayTarget, isSuperseded } from "../../../cluster/gateway-target.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { forwardPort, keepForwarded, withForward } from "../../../cluster/port-forward.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// The output of kubectl in this file was recorded with kubectl 1.37 and the test cluster.

const fakeKubectl = new FakeDocker("kubectl");
afterAll(() => {
  fakeKubectl.remove();
});
const globalFlags = "--kubeconfig=/etc/k --context=lab --namespace=llm";
const kubectl = new Kubectl({ kubeconfig: "/etc/k", context: "lab", namespace: "llm" });

describe("a forwarded port", () => {
  afterEach(() => {
    fakeKubectl.mock({});
  });
  const lines = "Forwarding from 127.0.0.1:41234 -> 8000\nForwarding from [::1]:41234 -> 8000\n";

  it("is the one that kubectl chose and stays open while the work runs", async () => {
    fakeKubectl.mock({ [globalFlags]: lines });
    const url = await withForward(kubectl, "service/gateway", "http", (at) => Promise.resolve(at));
    expect(url).toBe("http://127.0.0.1:41234");
    expect(fakeKubectl.calls).toEqual([
      `${globalFlags} port-forward service/gateway :http --address=127.0.0.1`,
    ]);
  });

  it("is opened again when its pod is replaced, until it is no longer needed", async () => {
    fakeKubectl.mock({ [globalFlags]: lines });
    const { promise: until, resolve: stop } = Promise.withResolvers<undefined>();
    const target = () => Promise.resolve("service/gateway");
    const gateway = { target, port: "http", localPort: 41_234 };
    let ready = 0;
    const done = keepForwarded(kubectl, gateway, until, () => (ready += 1));
    await expect.poll(() => fakeKubectl.calls.length).toBeGreaterThan(2);
    stop(undefined);
    await done;
    expect(ready).toBe(1);
    expect(new Set(fakeKubectl.calls)).toEqual(
      new Set([`${globalFlags} port-forward service/gateway 41234:http --address=127.0.0.1`]),
    );
  });

  it("switches to the gateway that took over from a frozen one, but not after a failed check", async () => {
    fakeKubectl.mock({ [globalFlags]: { hangs: true, prints: lines } });
    const { promise: until, resolve: stop } = Promise.withResolvers<undefined>();
    const targets = ["pod/gateway-a", "pod/gateway-b"];
    const checkedTargets: string[] = [];
    const gateway = {
      target: () => Promise.resolve(targets.shift() ?? "none"),
      isSuperseded: (target: string) => {
        checkedTargets.push(target);
        if (checkedTargets.length === 1) return Promise.reject(new ClusterError("the API server is away"));
        return Promise.resolve(target === "pod/gateway-a");
      },
      port: "http",
      localPort: 41_234,
      checkEveryMs: 1,
    };
    const done = keepForwarded(kubectl, gateway, until, () => undefined);
    await expect
      .poll(() => checkedTargets.filter((target) => target === "pod/gateway-b").length)
      .toBeGreaterThan(1);
    stop(undefined);
    await done;
    expect(checkedTargets.filter((target) => target === "pod/gateway-a")).toHaveLength(2);
    expect(fakeKubectl.calls.map((call) => /pod\/\S+/.exec(call)?.[0])).toEqual([
      "pod/gateway-a",
      "pod/gateway-b",
    ]);
  });

  it("is rejected if the local port is in use", async () => {
    const fails =
      "Unable to listen on port 8000: Listeners failed to create with the following errors: [unable to create listener: Error listen tcp4 127.0.0.1:8000: bind: address already in use]\nerror: unable to listen on any of the requested ports: [{8000 8000}]";
    fakeKubectl.mock({ [globalFlags]: { fails } });
    await expect(forwardPort(kubectl, "service/gateway", 8000, 8000)).rejects.toThrow(
      "Port 8000 of this machine is in use. End what listens there, perhaps an npm run forward or npm run open that still runs.",
    );
  });

  it("is rejected with kubectl's reason if the service does not exist", async () => {
    fakeKubectl.mock({
      [globalFlags]: { fails: 'Error from server (NotFound): services "gateway" not found' },
    });
    await expect(forwardPort(kubectl, "service/gateway", 8000, 9000)).rejects.toThrow(
      'kubectl port-forward service/gateway failed: Error from server (NotFound): services "gateway" not found',
    );
    expect(fakeKubectl.calls).toEqual([
      `${globalFlags} port-forward service/gateway 9000:8000 --address=127.0.0.1`,
    ]);
  });
});

describe("a port of the gateway", () => {
  const pod = (name: string, ready: "True" | "False") => ({
    metadata: { name, labels: { app: "gateway" } },
    status: { phase: "Running", conditions: [{ type: "Ready", status: ready }] },
  });
  const pods = (...items: object[]) => JSON.stringify({ items });
  const slice = (name: string) => JSON.stringify({ endpoints: [{ targetRef: { name } }] });
  const withoutSelector = { [`${globalFlags} get service gateway`]: '{"spec": {}}' };

  it("is forwarded from its Service if that has a selector or does not exist", async () => {
    fakeKubectl.mock({
      [`${globalFlags} get service gateway`]: '{"spec": {"selector": {"app": "gateway"}}}',
    });
    expect(await gatewayTarget(kubectl)).toBe("service/gateway");
    fakeKubectl.mock({
      [globalFlags]: { fails: 'Error from server (NotFound): services "gateway" not found' },
    });
    expect(await gatewayTarget(kubectl)).toBe("service/gateway");
  });

  it("is forwarded from the active pod if others stand by", async () => {
    fakeKubectl.mock({
      ...withoutSelector,
      [`${globalFlags} get endpointslice gateway-active`]: slice("gateway-b"),
      [`${globalFlags} get pods`]: pods(pod("gateway-a", "True"), pod("gateway-b", "True")),
    });
    expect(await gatewayTarget(kubectl)).toBe("pod/gateway-b");
  });

  it("is superseded if another gateway is active while its own pod remains", async () => {
    const terminating = {
      ...pod("gateway-a", "True"),
      metadata: { name: "gateway-a", deletionTimestamp: "now" },
    };
    const checkSuperseded = (active: string, own: object) => {
      fakeKubectl.mock({
        ...withoutSelector,
        [`${globalFlags} get endpointslice gateway-active`]: slice(active),
        [`${globalFlags} get pods`]: pods(own, pod("gateway-b", "True")),
      });
      return isSuperseded(kubectl, "pod/gateway-a");
    };
    expect(await checkSuperseded("gateway-b", pod("gateway-a", "False"))).toBe(true);
    expect(await checkSuperseded("gateway-a", pod("gateway-a", "True"))).toBe(false);
    // The terminating pod finishes its requests.
    expect(await checkSuperseded("gateway-b", terminating)).toBe(false);
    // The pod is gone, so its forwarding ends by itself.
    expect(await checkSuperseded("gateway-b", pod("gateway-c", "True"))).toBe(false);
    expect(await isSuperseded(kubectl, "service/gateway")).toBe(false);
  });

  it("waits until another gateway takes over from one that is gone", async () => {
    const before = {
      ...withoutSelector,
      [`${globalFlags} get endpointslice gateway-active`]: slice("gateway-a"),
      [`${globalFlags} get pods`]: pods(pod("gateway-b", "True")),
    };
    fakeKubectl.mock(before);
    const target = gatewayTarget(kubectl);
    await expect
      .poll(() => fakeKubectl.calls.filter((call) => call.includes(" get pods")).length)
      .toBeGreaterThan(1);
    fakeKubectl.mock({ ...before, [`${globalFlags} get endpointslice gateway-active`]: slice("gateway-b") });
    expect(await target).toBe("pod/gateway-b");
  });
});
