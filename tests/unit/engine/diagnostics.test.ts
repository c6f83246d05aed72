import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { checkClientEnvironment, explainEngine } from "../../../engine/diagnostics.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

const ssh = { dockerHost: "ssh://ops@far", dockerCertPath: "" };

describe("the explanation of an engine that does not respond", () => {
  it.each([
    ["ops@far: Permission denied (publickey).", /Authorize this user's key with ssh-copy-id/],
    ["Host key verification failed.\r\n", /verify the host's key/],
    ["ssh: Could not resolve hostname far: Name or service not known", /Check the host name/],
    ["bash: line 1: docker: command not found", /Install Docker's client on that host too/],
    ["dial unix /var/run/docker.sock: connect: permission denied", /add the user to the group docker there/],
    [
      "tls: failed to verify certificate: x509: certificate signed by unknown authority",
      /Client and engine do not trust each other: dockerCertPath/,
    ],
    ["Cannot connect to the Docker daemon", /Start it, or set another: pulumi config set dockerHost/],
  ])("has one line with a fix for: %s", (output, hint) => {
    const line = explainEngine(ssh, output);
    expect(line).toMatch(/^The Docker engine at ssh:\/\/ops@far does not respond: /);
    expect(line).toMatch(hint);
    expect(line).not.toContain("\n");
  });

  it("suggests npm run setup for the engine of this machine", () => {
    vi.stubEnv("DOCKER_HOST", "");
    const line = explainEngine({ dockerHost: "", dockerCertPath: "" }, "Cannot connect");
    expect(line).toMatch(
      /^The Docker engine does not respond: Cannot connect\. Start it \(npm run setup does/,
    );
  });
});

describe("the check of the client's environment", () => {
  it.each(["DOCKER_CONTEXT", "DOCKER_CERT_PATH"])("reports %s, which would override dockerHost", (name) => {
    expect(checkClientEnvironment(ssh)).toBeUndefined();
    vi.stubEnv(name, "elsewhere");
    expect(checkClientEnvironment(ssh)).toBe(
      `dockerHost is ssh://ops@far, but ${name} in the environment would override it: unset it.`,
    );
    expect(checkClientEnvironment({ dockerHost: "", dockerCertPath: "" })).toBeUndefined();
  });

  it("reports missing certificates", () => {
    const folder = mkdtempSync(join(tmpdir(), "ollama-stack-certs-"));
    const tls = { dockerHost: "tcp://far:2376", dockerCertPath: folder };
    for (const file of ["ca.pem", "cert.pem"]) writeFileSync(join(folder, file), "");
    expect(checkClientEnvironment(tls)).toBe(
      `dockerCertPath is ${folder}, which lacks key.pem: add the missing files, or set the correct folder.`,
    );
    writeFileSync(join(folder, "key.pem"), "");
    expect(checkClientEnvironment(tls)).toBeUndefined();
    rmSync(folder, { recursive: true });
  });
});
