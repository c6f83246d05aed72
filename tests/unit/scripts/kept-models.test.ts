import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import type { Deployed } from "../../../scripts/stack/deployment.ts";
import { assertModelsKept } from "../../../scripts/stack/kept-models.ts";
import { PulumiFailed } from "../../../scripts/stack/pulumi-cli.ts";
import { withoutProtection } from "../../../scripts/update/unprotected.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const program = new FakeDocker("pulumi");
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  program.remove();
});

const deployed = (type: string, name: string, more: Partial<Deployed>): Deployed => ({
  urn: `urn::${name}`,
  name,
  type,
  id: `id-of-${name}`,
  inputs: {},
  outputs: {},
  protect: false,
  retain: false,
  ...more,
});
const volume = (name: string, more: Partial<Deployed> = {}) =>
  deployed("docker:index/volume:Volume", name, { inputs: { name: `ollama-stack-dev-${name}` }, ...more });
const model = (more: Partial<Deployed> = {}) =>
  deployed("command:local:Command", "model-llama-pull", {
    inputs: { environment: { MODEL: "llama3.2:1b" } },
    ...more,
  });
const keysVolume = volume("gateway-keys-volume");

describe("npm run destroy -- --models keep", () => {
  it.each([{}, { protect: true }])("is rejected if the models' volume is not retained: %j", (more) => {
    expect(() => {
      assertModelsKept("dev", [keysVolume, volume("ollama-models", more), model()]);
    }).toThrow(
      "--models keep cannot keep the models of the stack dev: destroy deletes the volume ollama-stack-dev-ollama-models, because its last update was without retainModels. " +
        "Set retainModels with: npm run pulumi -- config set retainModels true --stack dev, apply it with npm run up -- --stack dev, then destroy it",
    );
  });

  it("is rejected if models in another volume are deleted", () => {
    expect(() => {
      assertModelsKept("dev", [keysVolume, model()]);
    }).toThrow("destroy deletes the model llama3.2:1b, because");
  });

  it("is allowed if the volume or the models are retained, or there are none", () => {
    assertModelsKept("dev", [keysVolume, volume("ollama-models", { retain: true }), model()]);
    assertModelsKept("dev", [keysVolume, model({ retain: true })]);
    assertModelsKept("dev", [keysVolume]);
  });
});

describe("a failed destroy of protected volumes", () => {
  const target = { stack: "prod", env: process.env };
  const failure = new Error("the engine is gone");
  const destroy = () =>
    withoutProtection([{ urn: "a" }, { urn: "b" }], target, () => Promise.reject(failure));

  it("protects those that are left, and reports its own failure", async () => {
    program.mock({
      "state unprotect": "",
      "state protect --yes a": { fails: 'error: No such resource "a" exists in the current state' },
      "state protect --yes b": "",
    });
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await expect(destroy()).rejects.toBe(failure);
    expect(program.calls.slice(2)).toEqual([
      "state protect --yes a --stack prod",
      "state protect --yes b --stack prod",
    ]);
    expect(errors).not.toHaveBeenCalled();
  });

  it("also reports that they cannot be protected again", async () => {
    program.mock({ "state unprotect": "", "state protect": { fails: "error: the stack is locked" } });
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    await expect(destroy()).rejects.toBe(failure);
    expect(errors).toHaveBeenCalledWith("error: the stack is locked");
  });

  it("protects the first again if the second cannot be unprotected", async () => {
    program.mock({
      "state unprotect --yes a": "",
      "state unprotect --yes b": { fails: "error: the stack is locked" },
      "state protect": "",
    });
    await expect(destroy()).rejects.toThrow(PulumiFailed);
    expect(program.calls).toContain("state protect --yes a --stack prod");
  });
});
