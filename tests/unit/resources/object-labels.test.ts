import { describe, expect, it } from "vitest";
import { withLabels } from "../../../components/resources/object-labels.ts";

const transform = (type: string, name: string, opts = {}) =>
  withLabels("organization/ollama-stack/prod", {
    type,
    name,
    props: { name: "x" },
    opts,
    resource: {} as never,
  });

describe("labels", () => {
  it.each([
    ["docker:index/container:Container", "ollama-2-container", "ollama"],
    ["docker:index/network:Network", "network-bridge", "network"],
    ["docker:index/volume:Volume", "edge-data", "edge"],
    ["docker:index/volume:Volume", "gateway-keys-volume", "gateway"],
  ])("of a %s called %s name its project, stack, component and version", (type, name, component) => {
    expect(transform(type, name)?.props).toEqual({
      name: "x",
      labels: [
        { label: "ollama-stack.project", value: "ollama-stack" },
        { label: "ollama-stack.stack", value: "prod" },
        { label: "ollama-stack.component", value: component },
        { label: "ollama-stack.version", value: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string },
      ],
    });
  });

  it("cause no replacement of objects without them, or of another version", () => {
    const { opts } =
      transform("docker:index/volume:Volume", "ollama-models", { ignoreChanges: ["driver"] }) ?? {};
    expect(opts).toMatchObject({ ignoreChanges: ["driver", "labels"] });
  });

  it("are not set on other resources", () => {
    expect(transform("command:local:Command", "ollama-ready")).toBeUndefined();
    expect(transform("docker:index/remoteImage:RemoteImage", "ollama-image")).toBeUndefined();
  });
});
