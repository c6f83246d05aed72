import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describePreview } from "../../../scripts/preview/markdown.ts";
import { readPreview, type Step } from "../../../scripts/preview/steps.ts";

// What `pulumi preview --json` printed for a stack in the cluster of the tests, with a second replica of Ollama and more
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
  it("says what changes in which object, and what each pod will pull", () => {
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
      "The gateway's pod is replaced without a gap: the new one is ready before the old one goes.",
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

  it("says that models without a volume go with the pods that are replaced", () => {
    const steps = [ollama("update", { "spec.template.spec.containers[0].image": {} })];
    const text = describePreview({ steps, diagnostics: [] }, "lab");
    expect(text).toContain("Ollama's pods are replaced one after the other");
    expect(text).toContain("Their models go with them: each new pod pulls them again.");
  });

  it("says that pods are away while a StatefulSet is replaced", () => {
    const steps = [ollama("replace", {})];
    expect(describePreview({ steps, diagnostics: [] }, "lab")).toContain("**Interrupts**: Ollama's pods");
  });

  it("interrupts nobody where pods stay as they are", () => {
    const steps = [ollama("update", { "spec.replicas": {} })];
    expect(describePreview({ steps, diagnostics: [] }, "lab")).toContain("Interrupts nobody.");
  });
});
