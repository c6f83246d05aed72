import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { findClusterDrift } from "../../../scripts/drift/cluster.ts";
import { compareObject } from "../../../scripts/drift/cluster-object.ts";
import { parseDeployment } from "../../../scripts/stack/deployment.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// The state, and kubectl's output for the same objects, were recorded in the test cluster.

const read = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const kubectl = new Kubectl({ kubeconfig: "", context: "", namespace: "llm" });
const deployment = parseDeployment(`{"deployment": {"resources": ${read("deployed")}}}`);
const get = (what: string) => `--namespace=llm get ${what} --output=json`;
const asDeployed = {
  [get("statefulset.apps ollama")]: read("statefulset"),
  [get("deployment.apps gateway")]: read("deployment"),
  [get("secret gateway-keys")]: read("secret"),
};

describe("npm run drift of a stack on Kubernetes", () => {
  it("finds nothing in objects that are as the provider left them", async () => {
    program.mock(asDeployed);
    expect(await findClusterDrift(deployment, kubectl, "")).toEqual({ differences: [], compared: 3 });
  });

  it("finds changes by kubectl scale and kubectl set env", async () => {
    program.mock({
      ...asDeployed,
      [get("statefulset.apps ollama")]: read("statefulset-drifted"),
      [get("deployment.apps gateway")]: read("deployment-drifted"),
    });
    const { differences } = await findClusterDrift(deployment, kubectl, "");
    expect(differences).toMatchObject([
      {
        resource: "StatefulSet ollama",
        property: "spec.replicas",
        expected: "1",
        actual: "2",
        repair: "refresh",
      },
      {
        resource: "Deployment gateway",
        property: "spec.template.spec.containers[gateway].env[FOO]",
        expected: "none",
        actual: "bar",
        // The API server leaves the variable to the client that added it.
        repair: {
          byHand:
            "remove the variable with: kubectl set env deployment.apps/gateway --containers=gateway FOO- --namespace llm",
        },
      },
    ]);
  });

  it("finds a removed Secret, and a changed one without showing its content", async () => {
    program.mock({
      ...asDeployed,
      [get("secret gateway-keys")]: {
        fails: 'Error from server (NotFound): secrets "gateway-keys" not found',
      },
    });
    expect((await findClusterDrift(deployment, kubectl, "")).differences).toMatchObject([
      { resource: "Secret gateway-keys", property: "state", expected: "there", actual: "removed" },
    ]);
    const changed = read("secret").replace(/"api-keys": ".*"/, '"api-keys": "bWFsbG9yeQ=="');
    program.mock({ ...asDeployed, [get("secret gateway-keys")]: changed });
    expect((await findClusterDrift(deployment, kubectl, "")).differences).toMatchObject([
      {
        resource: "Secret gateway-keys",
        property: "data.api-keys",
        expected: "as deployed",
        actual: "changed",
      },
    ]);
  });
});

describe("comparing two values of an object", () => {
  it.each([
    ["a quantity in another unit", { memory: "1024Mi" }, { memory: "1Gi" }],
    ["values that the API server omits", { a: "", b: [], c: {}, d: null }, {}],
    ["values that the stack does not set", { a: 1 }, { a: 1, b: 2 }],
    ["named entries in another order", [{ name: "a" }, { name: "b" }], [{ name: "b" }, { name: "a" }]],
  ])("ignores %s", (_what, declared, actual) => {
    expect(compareObject(declared, actual)).toEqual([]);
  });

  it.each([
    ["another quantity", { memory: "1024Mi" }, { memory: "2Gi" }, ["memory", "1024Mi", "2Gi"]],
    ["a missing value", { a: 1 }, {}, ["a", "1", "none"]],
    ["a missing entry", [{ name: "a" }], [], ["[a]", "there", "removed"]],
    ["a list of strings", { drop: ["ALL"] }, { drop: [] }, ["drop", "ALL", "none"]],
  ])("finds %s", (_what, declared, actual, [path, expected, have]) => {
    expect(compareObject(declared, actual)).toEqual([{ path, expected, actual: have }]);
  });
});
