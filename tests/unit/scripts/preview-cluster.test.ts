import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { objectKinds, resourceType } from "../../../components/config/kubernetes/cluster-objects.ts";
import { describePreview } from "../../../scripts/preview/markdown.ts";
import { readPreview, type Step } from "../../../scripts/preview/steps.ts";

// Recorded output of `pulumi preview --json` for a stack in the test cluster, with a second replica of Ollama and more
// memory for the gateway.
const recorded = readPreview(readFileSync("tests/unit/cluster/recorded/preview.json", "utf8"));
const pulls = "Model tiny:1b: it will be pulled in ollama-1, 98.4 MB, digest e93533fa695d";

const ollama = (op: string, detailedDiff: Record<string, unknown>): Step => ({
  ...recorded.steps.find(({ urn }) => urn.endsWith("::ollama-pods")),
  urn: "urn:pulumi:lab::ollama-stack::kubernetes:apps/v1:StatefulSet::ollama-pods",
  op,
  detailedDiff,
});

describe("the preview of a stack on Kubernetes", () => {
  it("lists the changes of each object, and the models that each pod will pull", () => {
    const diagnostics = [
      { message: pulls, severity: "info#err" },
      {
        message: "The model old:1b will be deleted in ollama-0, 1.0 GB, digest 0123456789ab",
        severity: "info",
      },
    ];
    expect(describePreview({ ...recorded, diagnostics }, "lab").split("\n")).toEqual([
      "### Preview of the stack `lab`",
      "",
      "The gateway's pod is replaced without downtime: the new one is ready before the old one stops.",
      "An Ollama pod on a lost node is recreated on another node only after `kubectl delete node NAME`, and pulls its models again; until then the other pods get its requests.",
      "",
      "It **changes in place**:",
      "",
      "- StatefulSet `ollama`, because of spec.replicas",
      "- Deployment `gateway`, because of spec.template.spec.containers[0].resources.limits.memory, spec.template.spec.containers[0].resources.requests.memory",
      "",
      "What is downloaded:",
      "",
      `- ${pulls}`,
      "",
      "What to know:",
      "",
      "- The model old:1b will be deleted in ollama-0, 1.0 GB, digest 0123456789ab",
    ]);
  });

  it("warns that models without a volume are deleted with replaced pods", () => {
    const steps = [ollama("update", { "spec.template.spec.containers[0].image": {} })];
    const text = describePreview({ steps, diagnostics: [] }, "lab");
    expect(text).toContain("Ollama's pods are replaced one at a time");
    expect(text).toContain("Their models are deleted with them: each new pod pulls them again.");
  });

  it("warns that pods are unavailable while a StatefulSet is replaced", () => {
    const steps = [ollama("replace", {})];
    expect(describePreview({ steps, diagnostics: [] }, "lab")).toContain("**Interrupts**: Ollama's pods");
  });

  it("reports no interruption if pods stay as they are", () => {
    const steps = [ollama("update", { "spec.replicas": {} })];
    expect(describePreview({ steps, diagnostics: [] }, "lab")).toContain("Interrupts nobody.");
  });

  it("explains what the loss of a node means for new Ollama pods, but not for existing ones", () => {
    const created = ollama("create", {});
    const inputs = { metadata: { name: "ollama" }, spec: { replicas: 2 } };
    const state = { ...created.newState, inputs } as NonNullable<Step["newState"]>;
    const withVolume: Step = { ...created, newState: state };
    const text = (step: Step) => describePreview({ steps: [step], diagnostics: [] }, "lab");
    expect(text(withVolume)).toContain(
      "only after `kubectl delete node NAME`, and has its models if its volume",
    );
    expect(text(ollama("create", {}))).toContain("and pulls its models again; until then");
    const same: Step = { ...ollama("update", {}), oldState: state, newState: state };
    expect(text(same)).not.toContain("kubectl delete node");
  });

  it("lists every kind of object that a stack may have", () => {
    const steps = objectKinds.map((kind) => step(kind, "create", undefined, {}));
    const text = describePreview({ steps, diagnostics: [] }, "lab");
    const listed = objectKinds.filter((kind) =>
      text.includes(`- ${kind === "Namespace" ? "namespace" : kind} \`gateway\``),
    );
    expect(listed).toEqual(objectKinds);
  });

  it("warns that the gateway is unavailable if its old pod must stop before the new one starts", () => {
    const spec = { strategy: { type: "Recreate" } };
    const change = step("Deployment", "update", spec, spec, { "spec.template.spec.containers[0].image": {} });
    expect(interruptions(change)).toEqual([
      "**Interrupts**: the gateway's pod stops before the new one starts; it finishes its requests first, and the service is unavailable until the new one is ready.",
    ]);
  });

  it("reports that several gateways are replaced one at a time, and where an autoscaler starts", () => {
    const image = { "spec.template.spec.containers[0].image": {} };
    expect(interruptions(step("Deployment", "update", { replicas: 3 }, { replicas: 3 }, image))).toEqual([
      "The gateway's pods are replaced without downtime, one at a time: each new one is ready before an old one stops.",
    ]);
    expect(interruptions(step("Deployment", "update", { replicas: 3 }, {}, { "spec.replicas": {} }))).toEqual(
      [
        "The gateway goes from 3 pods to 1 until the autoscaler has added more; removed pods finish their requests.",
      ],
    );
  });

  it("warns that a Service is recreated when it loses its selector", () => {
    const selector = { selector: { app: "gateway" } };
    expect(interruptions(step("Service", "replace", selector, {}))).toEqual([
      "**Interrupts**: the gateway's Service is deleted and recreated with another address: new requests fail until clients resolve its name again.",
    ]);
    expect(interruptions(step("Service", "update", selector, selector))).toEqual(["Interrupts nobody."]);
  });

  it("reports what is lost when Valkey's pod is replaced or removed", () => {
    const settings = { "spec.template.metadata.annotations": {} };
    const change = (op: string) =>
      interruptions(step("Deployment", op, {}, op === "delete" ? undefined : {}, settings, "state"));
    expect(change("update")).toEqual([
      "Valkey's pod is replaced: until the new one is ready, each gateway continues with its share of slots and limits, and responses stored for `previous_response_id` are lost.",
    ]);
    expect(change("delete")).toEqual([
      "The gateways stop sharing their state in Valkey: limits restart at zero, and responses stored for `previous_response_id` are lost.",
    ]);
    expect(change("create")).toEqual(["Interrupts nobody."]);
  });

  const ingress = (...hosts: string[]) => ({
    ingressClassName: "nginx",
    rules: hosts.map((host) => ({ host, http: { paths: [] } })),
  });

  it("names the clients that the removal of an Ingress or a host name interrupts", () => {
    const removed = step("Ingress", "delete", ingress("a.example.org", "b.example.org"));
    expect(interruptions(removed)).toEqual([
      "**Interrupts** clients outside the cluster: they no longer reach the gateway by `a.example.org` and `b.example.org`.",
    ]);
    const fewer = step(
      "Ingress",
      "update",
      ingress("a.example.org", "b.example.org"),
      ingress("a.example.org"),
    );
    expect(interruptions(fewer)).toEqual([
      "**Interrupts** clients outside the cluster: they no longer reach the gateway by `b.example.org`.",
    ]);
    const routes = (...hostnames: string[]) => ({ hostnames });
    expect(
      interruptions(step("HTTPRoute", "update", routes("a.example.org"), routes("c.example.org"))),
    ).toEqual([
      "**Interrupts** clients outside the cluster: they no longer reach the gateway by `a.example.org`.",
    ]);
    const more = step(
      "Ingress",
      "update",
      ingress("a.example.org"),
      ingress("a.example.org", "b.example.org"),
    );
    expect(interruptions(more)).toEqual(["Interrupts nobody."]);
  });

  it("warns that another Ingress class, or a Gateway instead of it, has another address", () => {
    const line =
      "**Interrupts** clients outside the cluster until DNS has the address of `other` for `a.example.org`, in place of that of `nginx`.";
    const old = ingress("a.example.org");
    expect(interruptions(step("Ingress", "update", old, { ...old, ingressClassName: "other" }))).toEqual([
      line,
    ]);
    expect(
      interruptions(
        step("Ingress", "delete", old),
        step("Gateway", "create", undefined, { gatewayClassName: "other" }),
        step("HTTPRoute", "create", undefined, { hostnames: ["a.example.org"] }),
      ),
    ).toEqual([line]);
  });

  const policy = (...cidrs: string[]) => {
    const blocks = cidrs.map((cidr) => ({ ipBlock: { cidr } }));
    const matchLabels = { "kubernetes.io/metadata.name": "monitoring" };
    const from = cidrs.length === 0 ? {} : { from: [...blocks, { namespaceSelector: { matchLabels } }] };
    return { ingress: [{ ...from, ports: [] }] };
  };

  it("names the clients that a narrower gatewayAllowedSources excludes", () => {
    const end = "where the cluster's network enforces policies.";
    expect(
      interruptions(step("NetworkPolicy", "update", policy("10.0.0.0/8", "fd00::/8"), policy("10.0.0.0/8"))),
    ).toEqual([
      `**Interrupts** clients in \`fd00::/8\`: \`gatewayAllowedSources\` no longer lets them reach the gateway, ${end}`,
    ]);
    expect(interruptions(step("NetworkPolicy", "update", policy(), policy("10.0.0.0/8")))).toEqual([
      `**Interrupts** clients anywhere but in \`10.0.0.0/8\` and \`namespace/monitoring\`: \`gatewayAllowedSources\` lets only these reach the gateway, ${end}`,
    ]);
    for (const [before, after] of [
      [policy("10.0.0.0/8"), policy("10.0.0.0/8", "fd00::/8")],
      [policy("10.0.0.0/8"), policy()],
    ])
      expect(interruptions(step("NetworkPolicy", "update", before, after))).toEqual(["Interrupts nobody."]);
  });

  it("warns that a new autoscaler starts with one pod", () => {
    const scaled = (before: object, after: object) =>
      interruptions(step("StatefulSet", "update", before, after, { "spec.replicas": {} }, "ollama"));
    expect(scaled({ replicas: 3 }, {})).toEqual([
      "**Interrupts**: Ollama goes from 3 pods to 1 until the autoscaler has added more; removed pods finish their requests, and new requests wait in the gateway, or are rejected when its queue is full.",
    ]);
    expect(scaled({ replicas: 1 }, {})).toEqual(["Interrupts nobody."]);
    expect(scaled({ replicas: 3 }, { replicas: 2 })).toEqual(["Interrupts nobody."]);
  });
});

/** A step that changes the spec of an object. */
function step(
  kind: (typeof objectKinds)[number],
  op: string,
  before?: object,
  after?: object,
  detailedDiff: Record<string, unknown> = {},
  name = "gateway",
): Step {
  const state = (spec?: object) =>
    spec === undefined ? undefined : { inputs: { metadata: { name }, spec } };
  const urn = `urn:pulumi:lab::ollama-stack::${resourceType(kind)}::of-${name}`;
  return { op, urn, detailedDiff, oldState: state(before), newState: state(after) };
}

/** The lines of a preview about interruptions. */
function interruptions(...steps: readonly Step[]): readonly string[] {
  const lines = describePreview({ steps, diagnostics: [] }, "lab").split("\n").slice(2);
  return lines.slice(0, lines.indexOf(""));
}
