import { afterEach, describe, expect, it, vi } from "vitest";
import { pullFailure } from "../../../scripts/registry/pull-failure.ts";
import { engineSocket } from "../../../scripts/update/pull-images.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("an image that cannot be pulled", () => {
  it("because of a rate limit: the message says how to get past it", () => {
    const line = pullFailure(
      "ollamaImage",
      "a/b:1",
      "toomanyrequests: You have reached your pull rate limit",
    );
    expect(line).toMatch(/^ollamaImage is "a\/b:1", which .*docker login.*docs\/proxies\.md\)$/);
  });

  it("because the engine knows no proxy on a machine that has one: the message says so", () => {
    const reason = "dial tcp: lookup registry-1.docker.io: no such host";
    vi.stubEnv("https_proxy", "http://proxy.test:3128");
    expect(pullFailure("edgeImage", "caddy:1", reason)).toMatch(
      /proxy, but the engine has a setting of its own/,
    );
  });
});

it("an engine is asked to pull where it has a socket on this machine", () => {
  expect(engineSocket("", "linux")).toBe("/var/run/docker.sock");
  expect(engineSocket("unix:///home/ada/docker.sock", "darwin")).toBe("/home/ada/docker.sock");
  expect(engineSocket("", "win32")).toBeUndefined();
  expect(engineSocket("ssh://ada@host")).toBeUndefined();
  expect(engineSocket("npipe:////./pipe/docker_engine", "win32")).toBeUndefined();
});
