import { afterAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { inCluster } from "../../../scripts/purge/cluster-leftovers.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("kubectl");
afterAll(() => {
  program.remove();
});
const kubectl = new Kubectl({ kubeconfig: "", context: "", namespace: "llm" });
const inNamespace = "--namespace=llm";

const object = (kind: string, name: string, more = {}) => ({ kind, metadata: { name }, ...more });
const claim = (name: string, labels: Readonly<Record<string, string>> = { app: "ollama" }) => ({
  kind: "PersistentVolumeClaim",
  metadata: { name, labels },
  status: { phase: "Bound", capacity: { storage: "50Gi" } },
});

const ownKinds = ["StatefulSet", "Deployment", "Pod", "PersistentVolumeClaim"];
const isOwn = (each: object) => "kind" in each && ownKinds.includes(String(each.kind));

/** Mocks a namespace with labels, and objects in it. */
function mockNamespace(labels: Readonly<Record<string, string>>, ...items: readonly object[]): void {
  program.mock({
    [`${inNamespace} get namespace llm`]: JSON.stringify({ metadata: { name: "llm", labels } }),
    [`${inNamespace} get statefulsets,`]: JSON.stringify({ items: items.filter(isOwn) }),
    [`${inNamespace} get services,`]: JSON.stringify({ items: items.filter((each) => !isOwn(each)) }),
    [`${inNamespace} delete`]: "",
  });
}
const ownLabels = { "ollama-stack.stack": "lab" };
const defaultObjects = [object("ConfigMap", "kube-root-ca.crt"), object("ServiceAccount", "default")];

describe("the leftovers of a stack in a cluster", () => {
  it("are its model claims and its namespace, removed in this order", async () => {
    mockNamespace(ownLabels, claim("models-ollama-0"), claim("models-ollama-1"), ...defaultObjects);
    const { leftovers, staying } = await inCluster("lab", kubectl);
    expect(leftovers.map(({ kind, name, size }) => [kind, name, size])).toEqual([
      ["volume claim", "models-ollama-0", "50Gi"],
      ["volume claim", "models-ollama-1", "50Gi"],
      ["namespace", "llm", "-"],
    ]);
    expect(staying).toBeUndefined();
    for (const { remove } of leftovers) await remove();
    expect(program.calls.slice(-3).map((call) => call.replace(/ --.*$/, ""))).toEqual([
      `${inNamespace} delete persistentvolumeclaim models-ollama-0`,
      `${inNamespace} delete persistentvolumeclaim models-ollama-1`,
      `${inNamespace} delete namespace llm`,
    ]);
  });

  it("exclude objects of others, which keep the namespace", async () => {
    mockNamespace(
      ownLabels,
      claim("models-ollama-0"),
      claim("usage", {}),
      claim("models-ollama-1", { app: "other" }),
    );
    const { leftovers, staying } = await inCluster("lab", kubectl);
    expect(leftovers.map(({ name }) => name)).toEqual(["models-ollama-0"]);
    expect(staying).toBe(
      "The namespace llm is kept, because it contains objects that the stack did not create: PersistentVolumeClaim usage, PersistentVolumeClaim models-ollama-1. Remove it with: kubectl delete namespace llm",
    );
  });

  it.each([
    ["cronjobs.batch", object("CronJob", "backup")],
    ["jobs.batch", object("Job", "import")],
    ["daemonsets.apps", object("DaemonSet", "agent")],
    ["ingresses.networking.k8s.io", object("Ingress", "site")],
    ["serviceaccounts", object("ServiceAccount", "deployer")],
    ["roles.rbac.authorization.k8s.io", object("Role", "reader")],
    ["rolebindings.rbac.authorization.k8s.io", object("RoleBinding", "readers")],
    ["networkpolicies.networking.k8s.io", object("NetworkPolicy", "closed")],
  ])("exclude the namespace if others have %s in it", async (kinds, theirs) => {
    mockNamespace(ownLabels, claim("models-ollama-0"), ...defaultObjects, theirs);
    const { leftovers, staying } = await inCluster("lab", kubectl);
    expect(leftovers.map(({ kind }) => kind)).toEqual(["volume claim"]);
    expect(staying).toContain(
      `objects that the stack did not create: ${theirs.kind} ${theirs.metadata.name}. Remove it`,
    );
    const listed = program.calls.find((call) => call.startsWith(`${inNamespace} get services,`));
    expect(listed?.split(/[ ,]/)).toContain(kinds);
  });

  it("exclude the namespace if some kinds of objects cannot be listed", async () => {
    const forbidden = {
      fails: 'Error from server (Forbidden): cronjobs.batch is forbidden: User "u" cannot list resource',
    };
    program.mock({
      [`${inNamespace} get namespace llm`]: JSON.stringify({ metadata: { name: "llm", labels: ownLabels } }),
      [`${inNamespace} get statefulsets,`]: JSON.stringify({ items: [claim("models-ollama-0")] }),
      [`${inNamespace} get services,`]: forbidden,
      [`${inNamespace} get cronjobs.batch `]: forbidden,
      [`${inNamespace} get`]: JSON.stringify({ items: [] }),
    });
    const { leftovers, staying } = await inCluster("lab", kubectl);
    expect(leftovers.map(({ kind }) => kind)).toEqual(["volume claim"]);
    expect(staying).toBe(
      "The namespace llm is kept, because it may contain objects of kinds that you cannot list: cronjobs.batch. Remove it with: kubectl delete namespace llm",
    );
  });

  it("are to be removed manually from the inspected cluster", async () => {
    const at = "--kubeconfig=/etc/k --context=lab --namespace=llm";
    program.mock({ [`${at} get namespace llm`]: JSON.stringify({ metadata: { name: "llm" } }) });
    const other = new Kubectl({ kubeconfig: "/etc/k", context: "lab", namespace: "llm" });
    await expect(inCluster("lab", other)).rejects.toThrow(
      /with: kubectl delete namespace llm --kubeconfig=\/etc\/k --context=lab$/,
    );
  });

  it("exclude objects that are being deleted", async () => {
    const metadata = {
      name: "gateway-1",
      labels: { app: "gateway" },
      deletionTimestamp: "2026-11-28T00:00:00Z",
    };
    mockNamespace(
      ownLabels,
      { kind: "Pod", metadata },
      object("Secret", "token", { type: "kubernetes.io/service-account-token" }),
    );
    expect((await inCluster("lab", kubectl)).leftovers.map(({ kind }) => kind)).toEqual(["namespace"]);
  });

  it("are empty without a namespace", async () => {
    program.mock({
      [`${inNamespace} get namespace`]: { fails: 'Error from server (NotFound): namespaces "llm" not found' },
    });
    expect(await inCluster("lab", kubectl)).toEqual({ leftovers: [], staying: undefined });
  });
});

describe("a purge is rejected for", () => {
  it.each([[{}], [{ "ollama-stack.stack": "other" }]])("a namespace labelled %j", async (labels) => {
    mockNamespace(labels, claim("models-ollama-0"));
    await expect(inCluster("lab", kubectl)).rejects.toThrow(
      "the namespace llm has no label ollama-stack.stack=lab, so it may not be the stack's. If it is, remove it with: kubectl delete namespace llm",
    );
  });

  it.each([
    [object("StatefulSet", "ollama")],
    [object("Deployment", "gateway")],
    [{ kind: "Pod", metadata: { name: "ollama-0", labels: { app: "ollama" } } }],
  ])("a stack that still exists: %j", async (running) => {
    mockNamespace(ownLabels, claim("models-ollama-0"), running);
    await expect(inCluster("lab", kubectl)).rejects.toThrow(
      /^the \w+ \S+ still exists; destroy its stack first: npm run destroy -- --stack lab$/,
    );
  });
});
