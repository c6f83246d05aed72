import { describe, expect, it } from "vitest";
import { clientVariables, deployedEngine } from "../../../scripts/stack/deployed-engine.ts";

const resource = (type: string, name: string, inputs: Record<string, unknown> = {}) => ({
  ...{ urn: `urn:pulumi:s::p::${type}::${name}`, type, name, id: "i", inputs, outputs: {} },
  ...{ protect: false, retain: false },
});
const container = resource("docker:index/container:Container", "c");

describe("the engine of a deployed stack", () => {
  it("is the one of the provider in the state", () => {
    const inputs = { host: "tcp://far:2376", certPath: "/certificates" };
    const provider = resource("pulumi:providers:docker", "engine", inputs);
    expect(deployedEngine([provider, container])).toEqual({
      dockerHost: "tcp://far:2376",
      dockerCertPath: "/certificates",
    });
  });

  it("is the environment's if the provider has none, and undefined if nothing is deployed", () => {
    const provider = resource("pulumi:providers:docker", "default_5_2_0", {});
    expect(deployedEngine([provider, container])).toEqual({ dockerHost: "", dockerCertPath: "" });
    expect(deployedEngine([])).toBeUndefined();
  });
});

describe("the environment of Docker's client", () => {
  const env = { DOCKER_HOST: "tcp://other:2376", DOCKER_TLS_VERIFY: "1", DOCKER_CONTEXT: "other" };

  it("has only the stack's engine, with other settings cleared", () => {
    expect(clientVariables({ dockerHost: "ssh://far", dockerCertPath: "" }, env)).toEqual({
      DOCKER_HOST: "ssh://far",
      DOCKER_CONTEXT: "",
      DOCKER_TLS_VERIFY: "",
      DOCKER_CERT_PATH: "",
    });
  });

  it("keeps its engine if the stack has none", () => {
    expect(clientVariables({ dockerHost: "", dockerCertPath: "" }, env)).toEqual({
      ...env,
      DOCKER_CERT_PATH: "",
    });
  });
});
