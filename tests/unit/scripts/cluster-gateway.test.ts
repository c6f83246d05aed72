import { afterAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { forwardGateway, tryWithClusterGateway } from "../../../scripts/connect/cluster-gateway.ts";
import { forwardedUrl } from "../../../scripts/stack/cluster-outputs.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const inNamespace = "--namespace=llm";
const kubectl = new Kubectl({ kubeconfig: "", context: "", namespace: "llm" });

const pods = (ready: "True" | "False") =>
  JSON.stringify({
    items: [
      {
        metadata: { name: "gateway-a", labels: { app: "gateway" } },
        status: { phase: "Running", conditions: [{ type: "Ready", status: ready }] },
      },
    ],
  });
const withSelector = '{"spec": {"selector": {"app": "gateway"}}}';
const ready = {
  [`${inNamespace} get pods`]: pods("True"),
  [`${inNamespace} get service gateway`]: withSelector,
};
const forwarded = "Forwarding from 127.0.0.1:41234 -> 8000\n";

describe("forwarding the gateway of a stack in a cluster", () => {
  it.each([
    ["http://gateway.llm.svc:80", "http://127.0.0.1:80", "80"],
    ["http://gateway.llm.svc:8000", "http://127.0.0.1:8000", "8000"],
  ])("forwards %s to %s", async (gatewayUrl, url, port) => {
    expect(forwardedUrl({ gatewayUrl })).toBe(url);
    program.mock({ ...ready, [`${inNamespace} port-forward`]: forwarded });
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    await forwardGateway(kubectl, { gatewayUrl }, until, () => {
      end(undefined);
    });
    expect(program.calls).toContain(
      `${inNamespace} port-forward service/gateway ${port}:http --address=127.0.0.1`,
    );
  });

  it("stops waiting for an active gateway after an interrupt", async () => {
    program.mock({
      [`${inNamespace} get service gateway`]: '{"spec": {}}',
      [`${inNamespace} get endpointslice gateway-active`]: '{"endpoints": []}',
    });
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    const waiting = forwardGateway(kubectl, { gatewayUrl: "http://gateway:8000" }, until, () => undefined);
    await expect
      .poll(() => program.calls.filter((call) => call.includes("endpointslice")).length)
      .toBeGreaterThan(1);
    end(undefined);
    await waiting;
    expect(program.calls.filter((call) => call.includes("port-forward"))).toEqual([]);
  });

  it("stops waiting for kubectl to forward the port after an interrupt", async () => {
    program.mock({ ...ready, [`${inNamespace} port-forward`]: { hangs: true } });
    const { promise: until, resolve: end } = Promise.withResolvers<undefined>();
    const waiting = forwardGateway(kubectl, { gatewayUrl: "http://gateway:8000" }, until, () => undefined);
    await expect.poll(() => program.calls.some((call) => call.includes("port-forward"))).toBe(true);
    end(undefined);
    await waiting;
  });
});

describe("querying the gateway in a cluster", () => {
  const look = (withinMs?: number) => tryWithClusterGateway(kubectl, (url) => Promise.resolve(url), withinMs);

  it("uses a forwarded port", async () => {
    program.mock({ ...ready, [`${inNamespace} port-forward`]: forwarded });
    expect(await look()).toBe("http://127.0.0.1:41234");
  });

  it("returns undefined without the right to forward a port", async () => {
    const fails =
      'Error from server (Forbidden): pods "gateway-a" is forbidden: User "u" cannot create resource "pods/portforward"';
    program.mock({ ...ready, [`${inNamespace} port-forward`]: { fails } });
    expect(await look()).toBeUndefined();
  });

  it("returns undefined at once if no gateway is ready", async () => {
    program.mock({ [`${inNamespace} get pods`]: pods("False") });
    expect(await look()).toBeUndefined();
    expect(program.calls).toHaveLength(1);
  });

  it("returns undefined if the port is not forwarded in time", async () => {
    program.mock({ ...ready, [`${inNamespace} port-forward`]: { hangs: true } });
    expect(await look(1)).toBeUndefined();
  });
});
