import { describe, expect, it } from "vitest";
import { readPreview } from "../../../scripts/preview/steps.ts";
import { describePreview } from "../../../scripts/preview/markdown.ts";

const urn = (type: string, name: string) =>
  `urn:pulumi:dev::ollama-stack::ollama-stack:index:X$${type}::${name}`;
const container = "docker:index/container:Container";
const command = "command:local:Command";
const markdownOf = (steps: readonly object[], diagnostics: readonly object[] = [], images: string[] = []) =>
  describePreview(readPreview(`world: built\n${JSON.stringify({ steps, diagnostics })}`), "dev", images);

describe("a preview as Markdown", () => {
  it("lists a replacement once, with its reasons and its interruption", () => {
    const gateway = urn(container, "gateway-container");
    const text = markdownOf([
      {
        op: "create-replacement",
        urn: gateway,
        replaceReasons: ["image"],
        newState: { inputs: { name: "dev-gateway" } },
      },
      {
        op: "replace",
        urn: gateway,
        replaceReasons: ["image"],
        newState: { inputs: { name: "dev-gateway" } },
      },
      { op: "delete-replaced", urn: gateway, oldState: { inputs: { name: "dev-gateway" } } },
      { op: "replace", urn: urn(command, "gateway-ready") },
      { op: "same", urn: urn(container, "ollama-container") },
    ]);
    expect(text).toBe(
      [
        "### Preview of the stack `dev`",
        "",
        "**Interrupts**: the gateway is unavailable for some seconds while its container is replaced; it finishes its requests first.",
        "",
        "It **replaces**:",
        "",
        "- container `dev-gateway`, because of image",
      ].join("\n"),
    );
  });

  it("reports no interruption if replicas behind an unchanged edge are replaced one at a time", () => {
    const replaced = ["gateway", "gateway-2", "ollama", "ollama-2"].map((name) => ({
      op: "replace",
      urn: urn(container, `${name}-container`),
    }));
    const edge = urn(container, "edge-container");
    expect(markdownOf([...replaced, { op: "same", urn: edge }])).toContain(
      "No interruption: the 2 gateways and the 2 Ollama servers are replaced one at a time, each after its requests have finished.",
    );
    expect(markdownOf([...replaced, { op: "create", urn: edge }])).toMatch(
      /\*\*Interrupts\*\*: the gateway is unavailable/,
    );
    expect(markdownOf([...replaced, { op: "replace", urn: edge }])).toMatch(
      /\*\*Interrupts\*\*: the edge is unavailable.*\n.*Also, the 2 gateways/,
    );
    // The second server does not exist yet.
    expect(
      markdownOf([{ op: "create", urn: urn(container, "ollama-2-container") }, replaced[2] ?? {}]),
    ).toMatch(/\*\*Interrupts\*\*: Ollama is unavailable/);
    expect(
      markdownOf([
        { op: "delete", urn: urn(container, "gateway-2-container") },
        { op: "same", urn: urn(container, "gateway-container") },
      ]),
    ).not.toContain("Ends");
  });

  it("reports no interruption for a change in place", () => {
    const text = markdownOf([
      { op: "update", urn: urn(container, "gateway-container"), diffReasons: ["memory"] },
    ]);
    expect(text).toContain("Interrupts nobody.");
    expect(text).toContain("It **changes in place**:\n\n- container `gateway-container`, because of memory");
  });

  it("lists models by name, with their downloads", () => {
    const text = markdownOf(
      [{ op: "create", urn: urn(command, "model-tiny:1b-pull") }],
      [
        { severity: "info", message: "Model tiny:1b: it will be pulled, 98.4 MB\n" },
        { severity: "info", message: "something else" },
      ],
    );
    expect(text).toContain("It **creates**:\n\n- model `tiny:1b`");
    expect(text).toContain("What is downloaded:\n\n- Model tiny:1b: it will be pulled, 98.4 MB");
    expect(text).not.toContain("something else");
  });

  it("lists the downloads of images after those of models", () => {
    const image = urn("docker:index/remoteImage:RemoteImage", "edge-image");
    const text = markdownOf(
      [{ op: "create", urn: image, newState: { inputs: { name: "caddy:2" } } }],
      [{ severity: "info", message: "Model tiny:1b: it will be pulled, 98.4 MB\n" }],
      ["Image caddy:2: it will be pulled, up to 20.1 MB"],
    );
    expect(text).toContain("It **creates**:\n\n- image `caddy:2`\n");
    expect(text).toMatch(/What is downloaded:\n\n- Model tiny:1b: .*\n- Image caddy:2: .* 20\.1 MB$/);
  });

  it("warns that the gateway gets the port of a removed edge only after a gap", () => {
    const text = markdownOf([
      { op: "delete", urn: urn(container, "edge-container") },
      { op: "replace", urn: urn(container, "gateway-container") },
    ]);
    expect(text).toMatch(/\*\*Interrupts\*\*: the edge is removed before the gateway gets its port/);
  });

  it("includes the program's warnings and choices", () => {
    const text = markdownOf(
      [],
      [
        { severity: "info", message: "something else" },
        { severity: "info", message: "gpus is auto, and the engine has GPUs: Ollama gets all of them.\n" },
        { severity: "warning", message: "warning: ollamaReplicas is 2, and without GPUs ...\n" },
        { severity: "warning", message: "Model tiny:1b: its tag moved in the registry\n" },
      ],
    );
    expect(text).toContain("What is downloaded:\n\n- Model tiny:1b: its tag moved in the registry\n\n");
    expect(text).toMatch(/\nWhat to know:\n\n- gpus is auto, .*\n- ollamaReplicas is 2, .*$/);
    expect(text).not.toContain("something else");
  });

  it("reports that the service ends, or that nothing changes", () => {
    expect(markdownOf([{ op: "delete", urn: urn(container, "ollama-container") }])).toContain(
      "**Ends** the service.",
    );
    expect(markdownOf([{ op: "same", urn: urn(container, "gateway-container") }])).toContain(
      "Nothing changes.",
    );
  });
});
