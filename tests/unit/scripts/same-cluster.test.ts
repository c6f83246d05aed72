import { afterAll, describe, expect, it } from "vitest";
import {
  assertSameCluster,
  deployedNamespace,
  describePlace,
  isDeployedInCluster,
} from "../../../scripts/stack/same-cluster.ts";
import { openCluster } from "../../../scripts/stack/cluster-outputs.ts";
import { openStack } from "../../../scripts/update/recovery.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("kubectl");
const cli = new FakeDocker("pulumi");
afterAll(() => {
  cli.remove();
  program.remove();
});

const uid = "11111111-aaaa-4bbb-8ccc-000000000000";
const other = "22222222-aaaa-4bbb-8ccc-000000000000";
const address = (context: string) => ({ kubeconfig: "", context, namespace: "" });

/** The state of a stack that was deployed through this context. */
function deployed(outputs: Record<string, unknown>, context = "", recordedFirst = {}) {
  const provided = context === "" ? {} : { context };
  return {
    resources: [
      { type: "ollama-stack:kubernetes:Cluster", inputs: {}, outputs: recordedFirst },
      { type: "pulumi:pulumi:Stack", inputs: {}, outputs },
      { type: "pulumi:providers:kubernetes", inputs: { ...provided, version: "4.25.0" }, outputs: {} },
      { type: "kubernetes:core/v1:Namespace", inputs: { metadata: { name: "llm" } }, outputs: {} },
    ],
  };
}

it.each([
  ["an object in a cluster", ["kubernetes:core/v1:Namespace"], true],
  ["only the provider, after an interrupted first update", ["pulumi:providers:kubernetes"], true],
  ["only the cluster, after an interrupted first update", ["ollama-stack:kubernetes:Cluster"], true],
  ["objects of Docker", ["pulumi:providers:docker", "docker:index/network:Network"], false],
  ["no objects", ["pulumi:pulumi:Stack"], false],
])("detects whether a stack is in a cluster from a state with %s", (_what, types, isInCluster) => {
  expect(isDeployedInCluster({ resources: types.map((type) => ({ type })) })).toBe(isInCluster);
});

/** Mocks the cluster of each context; "" is the current context. */
function mockClusters(clusters: Readonly<Record<string, string>>): void {
  program.mock(
    Object.fromEntries(
      Object.entries(clusters).flatMap(([context, id]) => {
        const option = context === "" ? "" : `--context=${context} `;
        const server = `https://${id === uid ? "old" : "new"}.example.org:6443`;
        return [
          [
            `${option}get namespaces --field-selector=metadata.name=kube-system`,
            JSON.stringify({ items: [{ metadata: { uid: id } }] }),
          ],
          [`${option}config view --minify`, JSON.stringify({ clusters: [{ cluster: { server } }] })],
        ];
      }),
    ),
  );
}

const recorded = { clusterId: uid, clusterServer: "https://old.example.org:6443" };

describe("a stack on Kubernetes", () => {
  it("is rejected if the current context now leads to another cluster", async () => {
    mockClusters({ "": other });
    await expect(assertSameCluster("lab", deployed(recorded), address(""))).rejects.toThrow(
      "The stack lab is deployed in the cluster at https://old.example.org:6443 (11111111), but the current context leads to the cluster at https://new.example.org:6443 (22222222). " +
        "Switch to the stack's cluster with: kubectl config use-context NAME. " +
        "If that cluster no longer exists, remove the stack from the state: npm run pulumi -- stack rm lab --force --preserve-config",
    );
  });

  it("is rejected there even before its first update has finished", async () => {
    mockClusters({ "": other });
    await expect(assertSameCluster("lab", deployed({}, "", recorded), address(""))).rejects.toThrow(
      "The stack lab is deployed in the cluster at https://old.example.org:6443 (11111111)",
    );
  });

  it("is not opened by read-only commands there", async () => {
    const outputs = {
      ...recorded,
      engine: "kubernetes",
      namespace: "llm",
      gatewayUrl: "http://gateway.llm.svc:8000",
      keysRequired: true,
      installedModels: [],
    };
    cli.mock({ "stack output --json --stack lab": JSON.stringify(outputs) });
    const settings = () => "";
    mockClusters({ "": other });
    await expect(openCluster("lab", process.env, settings)).rejects.toThrow(
      "The stack lab is deployed in the cluster at https://old.example.org:6443 (11111111), but the current context leads",
    );
    mockClusters({ "": uid });
    expect((await openCluster("lab", process.env, settings)).kubectl.address.namespace).toBe("llm");
  });

  it("is rejected if its config names the context of another cluster", async () => {
    mockClusters({ "": uid, b: other });
    await expect(assertSameCluster("lab", deployed(recorded), address("b"))).rejects.toThrow(
      "but the context b leads to the cluster at https://new.example.org:6443 (22222222). Set kubeconfig and kubeContext to the stack's cluster",
    );
  });

  it("is rejected if its state would be refreshed through the context of another cluster", async () => {
    mockClusters({ "": other, a: uid });
    await expect(assertSameCluster("lab", deployed(recorded), address("a"))).rejects.toThrow(
      "but the current context leads to",
    );
  });

  it("is destroyed through the context that it was deployed with, whatever its config names", async () => {
    mockClusters({ a: uid });
    await assertSameCluster("lab", deployed(recorded, "a"));
    mockClusters({ a: other });
    await expect(assertSameCluster("lab", deployed(recorded, "a"))).rejects.toThrow(
      "but the context a leads",
    );
  });

  it("is accepted in its own cluster, even through another context", async () => {
    mockClusters({ "": uid, c: uid });
    await assertSameCluster("lab", deployed(recorded), address(""));
    await assertSameCluster("lab", deployed(recorded), address("c"));
  });

  it("is accepted if the context that it was deployed with is gone", async () => {
    mockClusters({ c: uid });
    await assertSameCluster("lab", deployed(recorded, "gone"), address("c"));
  });

  it("is accepted without a check if an older version deployed it", async () => {
    program.mock({});
    await assertSameCluster("lab", deployed({ engine: "kubernetes" }), address(""));
    await assertSameCluster("lab", { resources: [] }, address(""));
    expect(program.calls).toEqual([]);
  });

  it("is accepted if the user may not list namespaces", async () => {
    const fails = 'Error from server (Forbidden): namespaces is forbidden: User "x" cannot list resource';
    program.mock({ "get namespaces": { fails }, "config view": "{}" });
    await assertSameCluster("lab", deployed(recorded), address(""));
  });

  it("is rejected while the cluster does not respond", async () => {
    program.mock({ "get namespaces": { fails: "The connection to the server 10.0.0.1:6443 was refused" } });
    await expect(assertSameCluster("lab", deployed(recorded), address(""))).rejects.toThrow(
      "The cluster does not respond: nothing listens at 10.0.0.1:6443.",
    );
  });
});

it("opening a stack refreshes nothing in another cluster, even after an interrupted update", async () => {
  const { resources } = deployed(recorded);
  const entries = resources.map((each, i) => ({
    ...each,
    urn: `urn:pulumi:lab::ollama-stack::t::${String(i)}`,
  }));
  const pending_operations = [{ type: "updating", resource: { type: "kubernetes:apps/v1:Deployment" } }];
  cli.mock({
    "stack select --create lab": "",
    "stack export": JSON.stringify({ deployment: { resources: entries, pending_operations } }),
  });
  mockClusters({ "": other });
  await expect(openStack("lab", process.env, ["--config", "engine=kubernetes"])).rejects.toThrow(
    "The stack lab is deployed in the cluster at https://old.example.org:6443",
  );
  expect(cli.calls.filter((call) => !/^stack (select|export) /.test(call))).toEqual([]);
});

it("npm run destroy names the server and the namespace", async () => {
  mockClusters({ a: uid });
  expect(await describePlace(deployedNamespace(deployed(recorded, "a")))).toBe(
    "the namespace llm of the cluster at https://old.example.org:6443",
  );
});
