import { afterAll, afterEach, expect, it, vi } from "vitest";
import type { Deployment } from "../../../scripts/stack/deployment.ts";
import { adoptInCluster } from "../../../scripts/update/cluster-adoption.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const cli = new FakeDocker("pulumi");
const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
afterEach(() => {
  printed.mockClear();
});
afterAll(() => {
  printed.mockRestore();
  cli.remove();
});

const on = { stack: "lab", stackOption: " -- --stack lab", env: process.env };
const text = () => String(printed.mock.calls[0]?.[0]);

/** What the state has of a stack in a namespace. */
function deployedIn(namespace: string): Deployment {
  const resource = (type: string, inputs: Record<string, unknown>) => ({
    ...{ urn: type, name: type, type, id: "", inputs, outputs: {}, protect: false, retain: false },
  });
  const resources = [
    resource("pulumi:providers:kubernetes", {}),
    resource("kubernetes:core/v1:Namespace", { metadata: { name: namespace } }),
  ];
  return { resources, pending: [], secrets: new Set() };
}

it("a stack whose state was lost is taken over by an update itself, and npm run adopt says so", async () => {
  cli.mock({});
  await adoptInCluster(on, { resources: [], pending: [], secrets: new Set() });
  expect(text()).toBe(
    "Nothing to do: npm run up -- --stack lab itself adopts the stack's objects in the namespace ollama-stack-lab, including its pods and volumes.",
  );
  await adoptInCluster(on, deployedIn("ollama-stack-lab"));
  expect(cli.calls).toEqual([]);
});

it("a stack that was renamed keeps its namespace", async () => {
  cli.mock({ "config set": "" });
  await adoptInCluster(on, deployedIn("ollama-stack-former"));
  expect(cli.calls).toEqual(["config set namespace ollama-stack-former --stack lab"]);
  expect(text()).toContain("namespace ollama-stack-former, which the stack lab keeps from its former name.");
});
