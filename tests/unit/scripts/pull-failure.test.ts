import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pullFailure } from "../../../scripts/registry/pull-failure.ts";
import { engineSocket, pullImages } from "../../../scripts/update/pull-images.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the error for an image that cannot be pulled", () => {
  it("suggests docker login after a rate limit", () => {
    const line = pullFailure(
      "ollamaImage",
      "a/b:1",
      "toomanyrequests: You have reached your pull rate limit",
    );
    expect(line).toMatch(/^ollamaImage is "a\/b:1", which .*docker login.*docs\/proxies\.md\)$/);
  });

  it("mentions the engine's proxy setting if only this machine has a proxy", () => {
    const reason = "dial tcp: lookup registry-1.docker.io: no such host";
    vi.stubEnv("https_proxy", "http://proxy.test:3128");
    expect(pullFailure("edgeImage", "caddy:1", reason)).toMatch(
      /proxy, but the engine has its own proxy setting/,
    );
  });
});

it("uses the engine's API for pulls only if its socket is on this machine", () => {
  expect(engineSocket("", "linux")).toBe("/var/run/docker.sock");
  expect(engineSocket("unix:///home/ada/docker.sock", "darwin")).toBe("/home/ada/docker.sock");
  expect(engineSocket("", "win32")).toBeUndefined();
  expect(engineSocket("ssh://ada@host")).toBeUndefined();
  expect(engineSocket("npipe:////./pipe/docker_engine", "win32")).toBeUndefined();
});

it("pulls images with the engine of the chosen Docker context, which only Pulumi's environment names", async () => {
  const docker = new FakeDocker();
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-engine-"));
  const requests: string[] = [];
  const engine = createServer(({ url }, response) => {
    requests.push(url ?? "");
    response.end(`${JSON.stringify({ status: "Downloaded" })}\n`);
  });
  const socket = join(folder, "docker.sock");
  await new Promise<void>((resolve) => engine.listen(socket, resolve));
  vi.stubEnv("DOCKER_HOST", undefined);
  try {
    docker.mock({ "image inspect": { fails: "Error: No such image: x" } });
    const images: Record<string, string> = { ollamaImage: "ollama/ollama:1", gatewayBaseImage: "node:1" };
    await pullImages(
      (key) => images[key],
      { DOCKER_HOST: `unix://${socket}` },
      () => Promise.resolve(),
    );
    expect(requests).toEqual([
      "/images/create?fromImage=ollama%2Follama&tag=1",
      expect.stringMatching(/fromImage=.*node&tag=1$/),
    ]);
  } finally {
    engine.close();
    docker.remove();
    rmSync(folder, { recursive: true });
  }
});
