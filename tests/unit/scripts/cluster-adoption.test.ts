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

const session = { stack: "lab", stackOption: " -- --stack lab", env: process.env };
const text = () => String(printed.mock.calls[0]?.[0]);

/** The state of a stack in a namespace. */
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

it("does nothing for a stack whose state was lost, because npm run up adopts it", async () => {
  cli.mock({});
  await adoptInCluster(session, { resources: [], pending: [], secrets: new Set() });
  expect(text()).toBe(
    "Nothing to do: npm run up -- --stack lab itself adopts the stack's objects in the namespace ollama-stack-lab, including its pods and volumes.",
  );
  await adoptInCluster(session, deployedIn("ollama-stack-lab"));
  expect(cli.calls).toEqual([]);
});

it("keeps the namespace of a renamed stack", async () => {
  cli.mock({ "config set": "" });
  await adoptInCluster(session, deployedIn("ollama-stack-former"));
  expect(cli.calls).toEqual(["config set namespace ollama-stack-former --stack lab"]);
  expect(text()).toContain("namespace ollama-stack-former, which the stack lab keeps from its former name.");
});
