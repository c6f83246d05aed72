import { describe, expect, it } from "vitest";
import { standbyRights } from "../../../components/config/kubernetes/standby-rights.ts";
import { renderStack } from "../../../test-support/components/render-cluster-stack.ts";

interface Spec {
  readonly template: {
    readonly spec: {
      readonly serviceAccountName?: string;
      readonly automountServiceAccountToken: boolean;
      readonly terminationGracePeriodSeconds: number;
      readonly topologySpreadConstraints?: readonly object[];
      readonly containers: readonly {
        readonly env: readonly object[];
        readonly volumeMounts: readonly { readonly mountPath: string }[];
      }[];
      readonly volumes: readonly { readonly name: string; readonly projected?: object }[];
    };
  };
}

const standby = { gatewayReplicas: "2", namespace: "llm" };
const tokens = "/var/run/secrets/kubernetes.io/serviceaccount";

async function render(set: Readonly<Record<string, unknown>>) {
  const rendered = await renderStack(set);
  const pod = (name: string) => (rendered.find(name)["spec"] as Spec).template.spec;
  return { ...rendered, pod, names: rendered.all.map(({ name }) => name) };
}

describe("standby gateways", () => {
  it("have a Service without a selector, a Lease, and the addresses of their pods", async () => {
    const { find, pod } = await render(standby);
    expect(find("gateway-service")["spec"]).toEqual({
      ports: [{ name: "http", port: 8000, targetPort: "http" }],
    });
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    expect(pod("gateway-pods").containers[0]?.env).toEqual(
      expect.arrayContaining([
        { name: "STANDBY_LEASE", value: "llm/gateway" },
        field("POD_NAME", "metadata.name"),
        field("POD_UID", "metadata.uid"),
        field("POD_IP", "status.podIP"),
      ]),
    );
  });

  it("are updated, spread and disrupted like several active ones", async () => {
    const { find, pod } = await render(standby);
    expect(find("gateway-pods")["spec"]).toMatchObject({
      replicas: 2,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    expect(pod("gateway-pods").topologySpreadConstraints).toHaveLength(1);
    expect(find("gateway-disruption")["spec"]).toMatchObject({ maxUnavailable: 1 });
    const alone = (await render({})).pod("gateway-pods").terminationGracePeriodSeconds;
    expect(pod("gateway-pods").terminationGracePeriodSeconds).toBe(alone + 36);
  });

  it("have an account with the least privileges, whose token only their container mounts", async () => {
    const { all, find, pod } = await render(standby);
    expect(find("gateway-account")).toMatchObject({ automountServiceAccountToken: false });
    expect(find("gateway-role")["rules"]).toEqual(
      standbyRights.map(({ group, resource, verbs, name }) => ({
        apiGroups: [group],
        resources: [resource],
        verbs,
        ...(name === undefined ? {} : { resourceNames: [name] }),
      })),
    );
    for (const right of standbyRights) if (right.name === undefined) expect(right.verbs).toEqual(["create"]);
    expect(find("gateway-binding")).toMatchObject({
      roleRef: { kind: "Role", name: "gateway" },
      subjects: [{ kind: "ServiceAccount", name: "gateway", namespace: "llm" }],
    });
    const gateway = pod("gateway-pods");
    expect(gateway).toMatchObject({ serviceAccountName: "gateway", automountServiceAccountToken: false });
    expect(gateway.containers[0]?.volumeMounts).toContainEqual({
      name: "account",
      mountPath: tokens,
      readOnly: true,
    });
    expect(gateway.volumes.find(({ name }) => name === "account")?.projected).toMatchObject({
      sources: [{ serviceAccountToken: { path: "token" } }, { configMap: { name: "kube-root-ca.crt" } }],
    });
    const others = all.filter(({ name }) => name !== "gateway-pods");
    expect(JSON.stringify(others)).not.toContain(tokens);
    expect(JSON.stringify(others)).not.toContain("serviceAccountName");
  });

  it("may reach the API server, which no selector matches", async () => {
    const { find } = await render(standby);
    const { egress } = find("gateway-access")["spec"] as { readonly egress: readonly object[] };
    const ports = [443, 6443].map((port) => ({ protocol: "TCP", port }));
    expect(egress.at(-1)).toMatchObject({ ports });
  });

  it.each([
    ["one gateway", {}],
    ["several gateways with shared state", { state: "redis", gatewayReplicas: "2" }],
  ])("are not declared for %s", async (_what, set) => {
    const { names, find, pod } = await render(set);
    expect(find("gateway-service")["spec"]).toMatchObject({ selector: { app: "gateway" } });
    expect(names.filter((name) => /^gateway-(account|role|binding)$/.test(name))).toEqual([]);
    expect(pod("gateway-pods").serviceAccountName).toBeUndefined();
    expect(JSON.stringify(pod("gateway-pods"))).not.toMatch(/STANDBY_LEASE|POD_IP|serviceaccount/);
    const { egress } = find("gateway-access")["spec"] as { readonly egress: readonly object[] };
    expect(JSON.stringify(egress)).not.toContain("6443");
  });
});
