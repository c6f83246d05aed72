import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { chosenContext, endpointOf, parseContext } from "../../../scripts/setup/docker-context.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-context-"));
afterAll(() => {
  docker.remove();
  rmSync(folder, { recursive: true });
});

/** A context as Docker's client prints it. */
const printed = (own: object, files: readonly string[] = []) =>
  JSON.stringify({
    Name: "far",
    Metadata: {},
    Endpoints: { docker: { Host: "tcp://far:2376", SkipTLSVerify: false, ...own } },
    TLSMaterial: files.length === 0 ? {} : { docker: files },
    Storage: {
      MetadataPath: "/home/ada/.docker/contexts/meta/1",
      TLSPath: "/home/ada/.docker/contexts/tls/1",
    },
  });

describe("the endpoint of a Docker context", () => {
  it("has the context's certificates", () => {
    expect(parseContext(printed({}, ["ca.pem", "cert.pem", "key.pem"]))).toEqual({
      host: "tcp://far:2376",
      tls: { DOCKER_CERT_PATH: "/home/ada/.docker/contexts/tls/1/docker", DOCKER_TLS_VERIFY: "1" },
    });
  });

  it("is not verified if the context sets SkipTLSVerify", () => {
    expect(parseContext(printed({ SkipTLSVerify: true }, ["cert.pem"]))?.tls).toEqual({
      DOCKER_CERT_PATH: "/home/ada/.docker/contexts/tls/1/docker",
    });
  });

  it("has only an address for a socket or ssh", () => {
    expect(parseContext(printed({ Host: "ssh://ada@far" }))).toEqual({ host: "ssh://ada@far", tls: {} });
    expect(parseContext(printed({ Host: "" }))).toBeUndefined();
  });

  it("is an error if the context cannot be read", async () => {
    docker.mock({ "context inspect": { fails: "context not found" } });
    await expect(endpointOf("gone")).rejects.toThrow(
      'docker context "gone" cannot be read: see docker context ls',
    );
  });
});

describe("the chosen Docker context", () => {
  beforeEach(() => {
    process.env["DOCKER_CONFIG"] = folder;
    delete process.env["DOCKER_CONTEXT"];
    writeFileSync(join(folder, "config.json"), JSON.stringify({ currentContext: "colima" }));
  });
  afterAll(() => {
    delete process.env["DOCKER_CONFIG"];
    delete process.env["DOCKER_CONTEXT"];
  });

  it("is the environment's, else that of the client's configuration", () => {
    expect(chosenContext()).toBe("colima");
    process.env["DOCKER_CONTEXT"] = "far";
    expect(chosenContext()).toBe("far");
    process.env["DOCKER_CONTEXT"] = "default";
    expect(chosenContext()).toBeUndefined();
  });

  it("is undefined if nothing is configured", () => {
    process.env["DOCKER_CONFIG"] = "/nowhere";
    expect(chosenContext()).toBeUndefined();
  });
});
