import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { objectTypes, optionalKinds } from "../../../components/config/kubernetes/cluster-objects.ts";
import { demandOf } from "../../../components/planning/cluster/demand.ts";
import {
  accessReviews,
  clusterRights,
  namespaceRights,
} from "../../../components/planning/cluster/rights.ts";
import { clusterConfig as config } from "../../../test-support/components/cluster-config.ts";

describe("the rights that are checked", () => {
  const reviewed = (set: Partial<typeof config> = {}) => {
    const { optional, granted } = demandOf({ ...config, ...set }, "llm");
    return accessReviews("llm", optional, granted).map(({ spec }) => spec.resourceAttributes);
  };

  it("include the stack's own namespace by name where a role can name it", () => {
    const namespaces = reviewed().filter(({ resource }) => resource === "namespaces");
    const named = namespaces.filter((each) => "name" in each && each.name === "llm");
    expect(named.map(({ verb }) => verb)).toEqual(["get", "patch", "delete"]);
    expect(namespaces.filter((each) => !named.includes(each)).map(({ verb }) => verb)).toEqual([
      "list",
      "watch",
      "create",
    ]);
  });

  it.each([
    [{ ingressHostnames: ["a.example.org"], ingressClass: "nginx" }, ["networking.k8s.io/ingresses"]],
    [
      { ingressHostnames: ["a.example.org"] },
      ["gateway.networking.k8s.io/gateways", "gateway.networking.k8s.io/httproutes"],
    ],
    [{ autoscaling: "hpa" as const }, ["autoscaling/horizontalpodautoscalers"]],
    [{ autoscaling: "keda" as const }, ["keda.sh/scaledobjects", "keda.sh/triggerauthentications"]],
    [{ podMonitor: true }, ["monitoring.coreos.com/podmonitors"]],
    [
      { state: "redis" as const, gatewayReplicas: 2, gatewayMaxReplicas: 4 },
      ["autoscaling/horizontalpodautoscalers"],
    ],
    [
      { state: "redis" as const, gatewayReplicas: 2, gatewayMaxReplicas: 4, autoscaling: "hpa" as const },
      ["autoscaling/horizontalpodautoscalers"],
    ],
  ])("include those for the kinds that the config adds: %j", (set, added) => {
    const before = reviewed().length;
    const more = reviewed(set).slice(before);
    expect([...new Set(more.map(({ group, resource }) => `${group}/${resource}`))]).toEqual(added);
    expect(more.filter(({ verb }) => verb === "delete")).toHaveLength(added.length);
  });
});

/** Returns the rules of a role in docs/kubernetes.md, each as one line. */
function rulesOfRole(role: string): readonly string[] {
  const text = readFileSync("docs/kubernetes.md", "utf8");
  const block = text.split("```").find((each) => each.includes(`  name: ${role}\n`)) ?? "";
  const rules = block.matchAll(
    /^\s*- apiGroups: \["(.*)"\]\n\s*resources: \[(.*)\]\n(?:\s*resourceNames: \[(.*)\]\n)?\s*verbs: \[(.*)\]$/gm,
  );
  return [...rules]
    .flatMap(([, group = "", resources = "", name, verbs = ""]) =>
      resources
        .split(", ")
        .map((resource) => `${group}/${resource}${name === undefined ? "" : ` ${name}`}: ${verbs}`),
    )
    .toSorted();
}

it("docs/kubernetes.md lists exactly the rights that are checked", () => {
  const checked = [...clusterRights, ...namespaceRights]
    .map(
      ({ group, resource, verbs, isOfNamespace }) =>
        `${group}/${resource}${isOfNamespace === true ? " ollama-stack-cluster" : ""}: ${verbs.join(", ")}`,
    )
    .toSorted();
  expect(rulesOfRole("ollama-stack")).toEqual(checked);
});

it("docs/kubernetes.md lists exactly the additional rights of standby gateways", () => {
  const { optional, granted } = demandOf({ ...config, gatewayReplicas: 2 }, "llm");
  const objects = optional.map(({ apiVersion, resource }) => {
    const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
    return `${group}/${resource}: get, list, watch, create, patch, delete`;
  });
  const grantedRules = granted.map(({ group, resource, verbs, name }) => {
    const named = name === undefined ? "" : ` ${name}`;
    return `${group}/${resource}${named}: ${verbs.join(", ")}`;
  });
  expect(grantedRules).toHaveLength(4);
  expect(rulesOfRole("ollama-stack-standby")).toEqual([...objects, ...grantedRules].toSorted());
});

it("the rights that standby gateways get are checked by object name", () => {
  const { optional, granted } = demandOf({ ...config, gatewayReplicas: 2 }, "llm");
  const reviewed = accessReviews("llm", optional, granted).map(({ spec }) => spec.resourceAttributes);
  expect(reviewed).toContainEqual({
    namespace: "llm",
    name: "gateway",
    group: "coordination.k8s.io",
    resource: "leases",
    verb: "update",
  });
  expect(reviewed).toContainEqual({
    namespace: "llm",
    group: "discovery.k8s.io",
    resource: "endpointslices",
    verb: "create",
  });
  expect(demandOf({ ...config, state: "redis", gatewayReplicas: 2 }, "llm").granted).toEqual([]);
});

it("docs/kubernetes.md names the kinds that need additional rights", () => {
  const text = readFileSync("docs/kubernetes.md", "utf8");
  const [, line = ""] = /^(The verbs of `configmaps` .*)$/m.exec(text) ?? [];
  const all = [
    { ingressClass: "nginx", autoscaling: "hpa" as const },
    { autoscaling: "keda" as const },
  ].flatMap((set) =>
    optionalKinds({ ...config, podMonitor: true, ingressHostnames: ["a.example.org"], ...set }),
  );
  expect(all.filter((kind) => !line.includes(`\`${objectTypes[kind].resource}\``))).toEqual([]);
});
