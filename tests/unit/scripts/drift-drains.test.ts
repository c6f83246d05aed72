import { afterAll, beforeAll, expect, it } from "vitest";
import { compareDrains } from "../../../scripts/drift/drains.ts";
import type { InspectedContainer } from "../../../scripts/drift/container.ts";
import type { Deployed } from "../../../scripts/stack/deployment.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

let docker: FakeDocker;
beforeAll(() => (docker = new FakeDocker()));
afterAll(() => {
  docker.remove();
});

const deployed = (name: string, inputs: Deployed["inputs"]): Deployed => ({
  urn: `urn:${name}`,
  name,
  type: "t",
  id: `id-of-${name}`,
  inputs,
  outputs: {},
  protect: false,
  retain: false,
});
const containers = ["gateway", "gateway-2", "ollama"].map((name) =>
  deployed(`${name}-container`, { name: `x-${name}` }),
);
const running = containers.map(({ id }) => ({ Id: id })) as unknown as InspectedContainer[];
const commands = [
  deployed("gateway-ready", { environment: { CONTAINER_NAME: "x-gateway", DRAIN_EDGE: "x-edge" } }),
  deployed("ollama-ready", {
    environment: {
      CONTAINER_NAME: "x-ollama",
      DRAIN_EDGE: "x-edge",
      DRAIN_SERVER: "ollama:11434",
      DRAIN_GATEWAYS: "x-gateway,x-gateway-2",
    },
  }),
];
const exec = (gateway: string) => `exec ${gateway} node /app/control.cjs`;

it("finds what an interrupted update drained without replacing it, and returns it to service", async () => {
  docker.mock({
    [`${exec("x-gateway")} drained`]: "this gateway\n",
    [`${exec("x-gateway-2")} drained`]: "ollama:11434\n",
  });
  const differences = await compareDrains(containers, commands, running);
  expect(differences).toEqual([
    {
      urn: "urn:gateway-container",
      resource: "gateway-container (x-gateway)",
      property: "requests",
      expected: "accepted",
      actual: "drained",
      repair: [`${exec("x-gateway")} return`.split(" ")],
    },
    {
      urn: "urn:gateway-2-container",
      resource: "gateway-2-container (x-gateway-2)",
      property: "requests to ollama:11434",
      expected: "accepted",
      actual: "drained",
      repair: [`${exec("x-gateway-2")} return ollama:11434`.split(" ")],
    },
  ]);
});

it("finds nothing in gateways that are older, stopped or never drained", async () => {
  const fails = "known are: drain SECONDS NOTICE_SECONDS, drain HOST:PORT SECONDS";
  docker.mock({ [exec("x-gateway")]: { fails } });
  expect(await compareDrains(containers, commands, running.slice(0, 1))).toEqual([]);
  expect(docker.calls).toEqual([`${exec("x-gateway")} drained`]);
  docker.mock({});
  expect(await compareDrains(containers, [], running)).toEqual([]);
  expect(docker.calls).toEqual([]);
});
