import { describe, expect, it } from "vitest";
import { clientVariables, deployedEngine } from "../../../scripts/stack/deployed-engine.ts";

const resource = (type: string, name: string, inputs: Record<string, unknown> = {}) => ({
  ...{ urn: `urn:pulumi:s::p::${type}::${name}`, type, name, id: "i", inputs, outputs: {} },
  ...{ protect: false, retain: false },
});
const container = resource("docker:index/container:Container", "c");

describe("the engine that a stack is on", () => {
  it("is the one that the state's provider was told", () => {
    const inputs = { host: "tcp://far:2376", certPath: "/certificates" };
    const provider = resource("pulumi:providers:docker", "engine", inputs);
    expect(deployedEngine([provider, container])).toEqual({
      dockerHost: "tcp://far:2376",
      dockerCertPath: "/certificates",
    });
  });

  it("is the environment's where it was told none, and none where nothing is deployed", () => {
    const provider = resource("pulumi:providers:docker", "default_5_2_0", {});
    expect(deployedEngine([provider, container])).toEqual({ dockerHost: "", dockerCertPath: "" });
    expect(deployedEngine([])).toBeUndefined();
  });
});

describe("Docker's client", () => {
  const env = { DOCKER_HOST: "tcp://other:2376", DOCKER_TLS_VERIFY: "1", DOCKER_CONTEXT: "other" };

  it("is told that engine alone: nothing of another address is left", () => {
    expect(clientVariables({ dockerHost: "ssh://far", dockerCertPath: "" }, env)).toEqual({
      DOCKER_HOST: "ssh://far",
      DOCKER_CONTEXT: "",
      DOCKER_TLS_VERIFY: "",
      DOCKER_CERT_PATH: "",
    });
  });

  it("is left the environment's engine where no other is named", () => {
    expect(clientVariables({ dockerHost: "", dockerCertPath: "" }, env)).toEqual({
      ...env,
      DOCKER_CERT_PATH: "",
    });
  });
});
