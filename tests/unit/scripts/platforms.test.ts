import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { npmCommand } from "../../../host/npm.ts";
import { defaultEngineHost } from "../../../scripts/setup/docker-engine.ts";
import { trustOfGo } from "../../../scripts/setup/network-environment.ts";
import { backendFolder, backendUrl } from "../../../scripts/stack/backend-url.ts";

// Paths, URLs and program names on platforms that no test runs on.

describe("the URL of the state", () => {
  it.each([
    ["linux", "/home/ada/.local/state", "file:///home/ada/.local/state"],
    ["darwin", "/Users/Ada Lovelace/state", "file:///Users/Ada%20Lovelace/state"],
    // The CLI reads "file:///C:/..." as C:\C:\...
    ["win32", "C:\\Users\\Ada Lovelace\\state", "file://C:/Users/Ada%20Lovelace/state"],
    ["win32", "\\\\server\\share\\state", "file://server/share/state"],
  ])("on %s, for the folder %s, is %s", (platform, folder, url) => {
    expect(backendUrl(folder, platform)).toBe(url);
  });

  it.each([
    ["linux", "file:///home/ada/my%20state?metadata=skip", "/home/ada/my state"],
    ["linux", "file://./state", "./state"],
    ["linux", "file://~/state", join(homedir(), "state")],
    ["win32", "file://C:/Users/ada/state?metadata=skip", "C:/Users/ada/state"],
    ["win32", "file:///C:/Users/ada/state", "C:/Users/ada/state"],
  ])("on %s, as %s, refers to the folder %s", (platform, url, folder) => {
    expect(backendFolder(url, platform)).toBe(folder);
  });

  it("refers to no folder if it is another backend's", () => {
    expect(backendFolder("s3://bucket/state", "linux")).toBeUndefined();
    expect(backendFolder("https://api.pulumi.com", "linux")).toBeUndefined();
  });
});

it("the default address of the engine is that of Docker's client: a socket, or a pipe on Windows", () => {
  expect(defaultEngineHost("linux")).toBe("unix:///var/run/docker.sock");
  expect(defaultEngineHost("darwin")).toBe("unix:///var/run/docker.sock");
  expect(defaultEngineHost("win32")).toBe("npipe:////./pipe/docker_engine");
});

it("npm is the one that runs the script, else the one on PATH, which on Windows needs a shell", () => {
  const running = "C:\\Program Files\\nodejs\\node_modules\\npm\\bin\\npm-cli.js";
  expect(npmCommand({ npm_execpath: running }, "win32")).toEqual([process.execPath, running]);
  expect(npmCommand({ npm_execpath: "/usr/lib/node_modules/yarn/bin/yarn.js" }, "linux")).toEqual(["npm"]);
  expect(npmCommand({}, "win32")).toEqual(["cmd.exe", "/d", "/s", "/c", "npm"]);
  expect(npmCommand({}, "darwin")).toEqual(["npm"]);
});

it("certificates are passed to Pulumi's programs in a variable on Linux only", () => {
  expect(trustOfGo("/cache/trusted", "linux", {})).toEqual({ SSL_CERT_DIR: "/etc/ssl/certs:/cache/trusted" });
  expect(trustOfGo("/cache/trusted", "linux", { SSL_CERT_DIR: "/own" })).toEqual({
    SSL_CERT_DIR: "/own:/cache/trusted",
  });
  expect(trustOfGo("/cache/trusted", "darwin", {})).toEqual({});
  expect(trustOfGo("C:\\cache\\trusted", "win32", {})).toEqual({});
});
