import { afterAll, expect, it } from "vitest";
import type { Deployed } from "../../../scripts/stack/deployment.ts";
import {
  attachedProblem,
  attachedToLeaving,
  disconnectAll,
  isLeaving,
} from "../../../scripts/update/foreign-containers.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});

const deployed = (type: string, name: string): Deployed => ({
  urn: `urn::${name}`,
  name,
  type: `docker:index/${type}`,
  id: `id-of-${name}`,
  inputs: { name },
  outputs: {},
  protect: false,
  retain: false,
});
const network = deployed("network:Network", "ollama_network_dev");
const resources = [network, deployed("container:Container", "ollama-stack-dev-ollama")];
const attached = (...names: string[]) => ({
  "network inspect id-of-ollama_network_dev": JSON.stringify([
    { Name: "ollama_network_dev", Containers: Object.fromEntries(names.map((Name) => [Name, { Name }])) },
  ]),
  "network disconnect": "",
});

it("lists foreign containers on a network to be removed, with both ways to disconnect them", async () => {
  docker.mock(attached("open-webui", "ollama-stack-dev-ollama", "ollama-stack-dev-gateway-2"));
  const containers = await attachedToLeaving("dev", resources, () => true);
  expect(containers).toEqual([{ network: "ollama_network_dev", container: "open-webui" }]);
  expect(attachedProblem(containers, "npm run destroy -- --stack dev --disconnect")).toBe(
    "Containers outside the stack are attached to its network, which must be removed: open-webui to ollama_network_dev. " +
      "Disconnect them (docker network disconnect ollama_network_dev open-webui), or run: npm run destroy -- --stack dev --disconnect",
  );
  await disconnectAll(containers);
  expect(docker.calls.at(-1)).toBe("network disconnect --force ollama_network_dev open-webui");
});

it("lists foreign containers on a manually created network of the same name", async () => {
  docker.mock({
    "network inspect id-of-ollama_network_dev": { fails: "Error: No such network: id-of-ollama_network_dev" },
    "network inspect by-hand": JSON.stringify([
      {
        Name: "ollama_network_dev",
        Containers: { a: { Name: "open-webui" }, b: { Name: "ollama-stack-dev-ollama" } },
      },
    ]),
  });
  const containers = await attachedToLeaving("dev", resources, () => false, ["by-hand"]);
  expect(attachedProblem(containers, "npm run up -- --stack dev --disconnect")).toMatch(
    /must be removed: open-webui to ollama_network_dev\. Disconnect them \(docker network disconnect ollama_network_dev open-webui\)/,
  );
});

it("finds nothing on a network that stays, is gone, or has only the stack's containers", async () => {
  docker.mock(attached("ollama-stack-dev-ollama"));
  expect(await attachedToLeaving("dev", resources, () => true)).toEqual([]);
  docker.mock({ "network inspect": { fails: "Error: No such network: x" } });
  expect(await attachedToLeaving("dev", resources, () => true)).toEqual([]);
  docker.mock({});
  expect(await attachedToLeaving("dev", resources, () => false)).toEqual([]);
  expect(attachedProblem([], "")).toBeUndefined();
});

it("replaces a network only if its name changes", () => {
  expect(isLeaving(network, "dev", () => "")).toBe(false);
  expect(isLeaving(network, "dev", () => "ollama_network_dev")).toBe(false);
  expect(isLeaving(network, "dev", () => "other")).toBe(true);
});
