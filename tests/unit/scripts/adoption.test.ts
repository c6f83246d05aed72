import { afterAll, expect, it } from "vitest";
import type { Deployed } from "../../../scripts/stack/deployment.ts";
import { adopt, planAdoption } from "../../../scripts/update/adoption.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
afterAll(() => {
  docker.remove();
});
const deployed = (type: string, name: string, objectName: string): Deployed => ({
  urn: `urn::${name}`,
  name,
  type: `docker:index/${type}`,
  id: `id-of-${objectName}`,
  inputs: { name: objectName },
  outputs: {},
  protect: false,
  retain: false,
});
const plan = (resources: Deployed[]) => planAdoption("dev", resources, () => "");
const engine = {
  "container ls --all --format {{.Names}} --filter name=": "ollama-stack-dev-ollama\n",
  "container ls --all --format {{.Names}} --filter label=ollama-stack.stack=dev":
    "ollama-stack-dev-ollama\nodd-name\n",
  "container ls --all --format {{.Names}}": "ollama-stack-old-ollama\nothers\n",
  "network ls": "ollama_network_dev\n",
  "volume ls": "ollama-stack-dev-ollama-models\n",
};

it("finds the objects of a stack with an empty state by name and by label", async () => {
  docker.mock(engine);
  expect(await plan([])).toEqual({
    containers: ["odd-name", "ollama-stack-dev-ollama"],
    networks: ["ollama_network_dev"],
    volumes: ["ollama-stack-dev-ollama-models"],
  });
});

it("plans nothing if the state has the stack, or the engine has only its volume", async () => {
  docker.mock(engine);
  expect(await plan([deployed("container:Container", "ollama-container", "ollama-stack-dev-ollama")])).toBe(
    undefined,
  );
  docker.mock({ "container ls": "", "network ls": "", "volume ls": "ollama-stack-dev-ollama-models\n" });
  expect(await plan([])).toBe(undefined);
});

it("keeps the model volume of a renamed stack", async () => {
  docker.mock(engine);
  const resources = [
    deployed("container:Container", "ollama-container", "ollama-stack-old-ollama"),
    deployed("container:Container", "gateway-container", "ollama-stack-old-gateway"),
    deployed("volume:Volume", "ollama-models", "ollama-stack-old-ollama-models"),
  ];
  expect(await plan(resources)).toEqual({
    containers: ["ollama-stack-old-ollama"],
    networks: [],
    volumes: ["ollama-stack-old-ollama-models"],
    renamed: { urn: "urn::ollama-models", volume: "ollama-stack-old-ollama-models" },
  });
});

it("removes only containers and networks, and nothing while foreign containers are attached", async () => {
  const lost = { containers: ["c"], networks: ["n"], volumes: ["v"] };
  const inspect = (...names: string[]) => ({
    "network inspect n": JSON.stringify([
      { Name: "n", Containers: Object.fromEntries(names.map((Name) => [Name, { Name }])) },
    ]),
    "container rm": "",
    "network rm": "",
  });
  docker.mock(inspect("c", "open-webui"));
  await expect(adopt("dev", {}, lost)).rejects.toThrow(
    /open-webui to n\. Disconnect them \(.*\), and run it again/,
  );
  expect(docker.calls).toEqual(["network inspect n"]);
  docker.mock(inspect("c"));
  await adopt("dev", {}, lost);
  expect(docker.calls).toEqual(["network inspect n", "container rm --force c", "network rm n"]);
});
