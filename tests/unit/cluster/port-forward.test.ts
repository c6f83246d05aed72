import { afterAll, afterEach, describe, expect, it } from "vitest";
import { gatewayTarget, isSuperseded } from "../../../cluster/gateway-target.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { forwardPort, keepForwarded, withForward } from "../../../cluster/port-forward.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// What kubectl prints here, kubectl 1.37 printed with the cluster of the tests.

const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const begin = "--kubeconfig=/etc/k --context=lab --namespace=llm";
const kubectl = new Kubectl({ kubeconfig: "/etc/k", context: "lab", namespace: "llm" });

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
