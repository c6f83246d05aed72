import { afterAll, afterEach, expect, it, vi } from "vitest";
import { PulumiFailed } from "../../../scripts/stack/pulumi-cli.ts";
import { retryOnPortConflict, takenPort } from "../../../scripts/update/port-conflicts.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  docker.remove();
});

const failed = "driver failed programming external connectivity on endpoint ollama-stack-ci-1-gateway (5f0a)";

it.each([
  ["Docker 20.10, a container", `${failed}: Bind for 127.0.0.1:20010 failed: port is already allocated`],
  [
    "Docker 29, a container",
    `failed to set up container networking: ${failed}: Bind for 127.0.0.1:20010 failed: port is already allocated`,
  ],
  [
    "any program",
    `${failed}: Error starting userland proxy: listen tcp4 127.0.0.1:20010: bind: address already in use`,
  ],
  [
    "any program, at an IPv6 address",
    `${failed}: failed to bind host port [2001:db8::1]:20010/tcp: address already in use`,
  ],
  [
    "any program, without the proxy",
    `${failed}: failed to bind host port for 127.0.0.1:20010:172.19.0.2:8000/tcp: address already in use`,
  ],
])("recognizes a port in use from the engine's error: %s", (_by, error) => {
  expect(takenPort(error)).toBe("20010");
});

it("ignores other failures", () => {
  expect(takenPort("OCI runtime create failed: exec: no such file or directory")).toBeUndefined();
});

it.each([
  ["ollama", "ollamaPort"],
  ["gateway", "gatewayPort"],
  ["edge", "gatewayPort"],
  ["prometheus", "prometheusPort"],
])("an update that lost the port of the container %s is retried only if %s is auto", async (kind, key) => {
  const container = `ollama-stack-dev-${kind}`;
  docker.mock({
    "container ls": `${container}\n`,
    "container inspect": `${failed}: Bind for 127.0.0.1:20010 failed: port is already allocated`,
  });
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const failure = new PulumiFailed(255, "port is already allocated", "", true);
  const update = vi.fn<() => Promise<void>>().mockRejectedValueOnce(failure).mockResolvedValueOnce();
  await retryOnPortConflict("dev", (each) => (each === key ? "auto" : 8000), update);
  expect(update).toHaveBeenCalledTimes(2);
  expect(errors.mock.calls).toEqual([
    [`Port 20010 was taken before ${container} could bind it: choosing another.`],
  ]);

  const fixed = vi.fn<() => Promise<void>>().mockRejectedValue(failure);
  await expect(retryOnPortConflict("dev", (each) => (each === key ? 8000 : "auto"), fixed)).rejects.toBe(
    failure,
  );
  expect(fixed).toHaveBeenCalledTimes(1);
});
