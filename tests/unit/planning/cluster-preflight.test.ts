import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { inspectCluster } from "../../../components/planning/cluster/preflight.ts";
import { clusterRights, namespaceRights } from "../../../components/planning/cluster/rights.ts";
import { FakeDocker } from "../../../test-support/fake-docker.ts";

const read = (name: string) => readFileSync(`tests/unit/cluster/recorded/${name}.json`, "utf8");
const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});

// As kubectl prints several objects: one after the other.
const review = (resource: string, verb: string, allowed: boolean) =>
  JSON.stringify(
    {
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace: "llm", resource, verb } },
      status: { allowed },
    },
    undefined,
    4,
  );
const allowed = [review("secrets", "get", true), review("secrets", "create", true)].join("\n");
const fit = {
  "version --output=json": read("version"),
  "create --validate=false --filename=- --output=json": allowed,
  "get nodes --output=json": read("nodes"),
};
const classes = (...names: string[]) =>
  JSON.stringify({ items: names.map((name) => ({ metadata: { name } })) });
const demand = {
  kubeconfig: "",
  kubeContext: "",
  namespace: "llm",
  storageClass: "",
  replicas: 2,
  nodeSelector: {},
  tolerations: [],
};

describe("a cluster", () => {
  it("that has all a stack needs is fit", async () => {
    program.tell(fit);
    expect(await inspectCluster(demand)).toEqual({ version: "1.37", problems: [], warnings: [] });
  });

  it("that does not give the rights is refused, with those that are missing", async () => {
    const reviews = [
      review("secrets", "create", false),
      review("secrets", "patch", false),
      review("namespaces", "create", false),
      review("pods", "get", true),
    ];
    program.tell({ ...fit, "create --validate=false --filename=- --output=json": reviews.join("\n") });
    const { problems } = await inspectCluster(demand);
    expect(problems).toEqual([
      "The cluster does not let you create and patch secrets; create namespaces for the namespace llm. Have its administrator give you the roles in docs/kubernetes.md.",
    ]);
  });

  it.each([
    [
      classes(),
      "storageClass is fast, but the cluster has no storage class. Install a provisioner of volumes in it, or leave storageClass empty: models then go with their pods.",
    ],
    [
      classes("standard", "local"),
      "storageClass is fast, but the cluster has only standard, local. Set it to one of these, or leave it empty: models then go with their pods.",
    ],
  ])("without the storage class is refused: %s", async (found, problem) => {
    program.tell({ ...fit, "get storageclasses": found });
    expect((await inspectCluster({ ...demand, storageClass: "fast" })).problems).toEqual([problem]);
    program.tell({ ...fit, "get storageclasses": classes("fast") });
    expect((await inspectCluster({ ...demand, storageClass: "fast" })).problems).toEqual([]);
  });

  it("that is too old is refused", async () => {
    const old = read("version").replaceAll('"minor": "37"', '"minor": "29+"');
    program.tell({ ...fit, "version --output=json": old });
    expect((await inspectCluster(demand)).problems).toEqual([
      "The cluster runs Kubernetes 1.29, and a stack needs 1.30 or newer. Update the cluster.",
    ]);
  });

  it("whose nodes one may not see is not judged by them", async () => {
    const forbidden = {
      fails:
        'Error from server (Forbidden): nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope',
    };
    program.tell({ ...fit, "get nodes --output=json": forbidden, "get storageclasses": forbidden });
    const found = await inspectCluster({ ...demand, replicas: 99, storageClass: "fast" });
    expect(found.problems).toEqual([]);
  });

  it("that does not respond fails with the reason", async () => {
    const fails =
      "The connection to the server 198.19.77.10:6444 was refused - did you specify the right host or port?";
    program.tell({ version: { fails } });
    await expect(inspectCluster(demand)).rejects.toThrow(
      "The cluster does not respond: nothing listens at 198.19.77.10:6444.",
    );
  });
});

it("docs/kubernetes.md lists exactly the rights that are checked", () => {
  const text = readFileSync("docs/kubernetes.md", "utf8");
  const listed = [
    ...text.matchAll(/^\s*- apiGroups: \["(.*)"\]\n\s*resources: \[(.*)\]\n\s*verbs: \[(.*)\]$/gm),
  ]
    .flatMap(([, group = "", resources = "", verbs = ""]) =>
      resources.split(", ").map((resource) => `${group}/${resource}: ${verbs}`),
    )
    .toSorted();
  const checked = [...clusterRights, ...namespaceRights]
    .map(({ group, resource, verbs }) => `${group}/${resource}: ${verbs.join(", ")}`)
    .toSorted();
  expect(listed).toEqual(checked);
});
