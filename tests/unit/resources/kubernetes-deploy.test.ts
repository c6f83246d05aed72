import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, expect, it } from "vitest";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";
import { configOf } from "../../../test-support/components/render-cluster-stack.ts";

const { deployStack } = await import("../../../components/resources/kubernetes/deploy.ts");
const program = new FakeDocker("kubectl");
afterEach(() => {
  delete process.env["OLLAMA_STACK_KEYS_ONLY"];
});
afterAll(() => {
  program.remove();
});

const identity = {
  "get namespaces --field-selector=metadata.name=kube-system": JSON.stringify({
    items: [{ metadata: { uid: "11111111-aaaa" } }],
  }),
  "config view --minify": JSON.stringify({ clusters: [{ cluster: { server: "https://10.0.0.1:6443" } }] }),
};
const outputsOf = async () => {
  const outputs = await deployStack(configOf({}), process.cwd());
  await pulumi.runtime.disconnect();
  return outputs;
};

it("updates keys even in a cluster that fails the checks of other updates", async () => {
  const old = readFileSync("tests/unit/cluster/recorded/version.json", "utf8").replaceAll('"37"', '"29"');
  const review = { spec: { resourceAttributes: { resource: "pods", verb: "get" } }, status: {} };
  const unfit = {
    "version --output=json": old,
    "create --validate=false": JSON.stringify(review),
    "get nodes": JSON.stringify({ items: [] }),
    ...identity,
  };
  program.mock(unfit);
  await expect(deployStack(configOf({}), process.cwd())).rejects.toThrow("but a stack needs 1.30 or newer");
  program.mock(identity);
  process.env["OLLAMA_STACK_KEYS_ONLY"] = "true";
  expect(await outputsOf()).toMatchObject({ engine: "kubernetes" });
  expect(program.calls.filter((call) => !/^(get namespaces|config view)/.test(call))).toEqual([]);
});

it("outputs the identity of the cluster", async () => {
  program.mock(identity);
  process.env["OLLAMA_STACK_KEYS_ONLY"] = "true";
  expect(await outputsOf()).toMatchObject({
    clusterId: "11111111-aaaa",
    clusterServer: "https://10.0.0.1:6443",
  });
});
