import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resolveImages } from "../../../scripts/pin/pins.ts";
import { imageDownloads } from "../../../scripts/preview/image-downloads.ts";
import { readPreview } from "../../../scripts/preview/steps.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

// A registry that requires a login, and the credentials that `docker login` may have stored.

const docker = new FakeDocker();
const path = process.env["PATH"];
const account = `Basic ${Buffer.from("me:secret").toString("base64")}`;
let server: Server;
let host: string;
let folder: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.headers.authorization === account)
      response.end(JSON.stringify({ config: { size: 1_000 }, layers: [{ size: 2_999_000 }] }));
    else response.writeHead(401, { "www-authenticate": 'Basic realm="it"' }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "docker-login-"));
  process.env["DOCKER_CONFIG"] = folder;
  process.env["PATH"] = `${folder}${delimiter}${path ?? ""}`;
  docker.mock({ "image inspect": { fails: "No such image: it" }, version: "linux/amd64\n" });
});
afterEach(() => {
  delete process.env["DOCKER_CONFIG"];
  process.env["PATH"] = path;
  rmSync(folder, { recursive: true });
});
afterAll(() => {
  docker.remove();
  server.closeAllConnections();
  server.close();
});

const config = () => join(folder, "config.json");

/** Installs a credential helper for all registries. */
function installHelper(script: string): void {
  writeFileSync(config(), '{"credsStore":"own"}');
  writeFileSync(join(folder, "docker-credential-own"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** The preview's line about an image of that registry, without the constant part. */
async function previewedSize(withinMs?: number): Promise<string | undefined> {
  const name = `${host}/a:1`;
  const urn = "urn:pulumi:dev::ollama-stack::docker:index/remoteImage:RemoteImage::ollama-image";
  const steps = [{ op: "create", urn, newState: { inputs: { name } } }];
  const lines = await imageDownloads(readPreview(JSON.stringify({ steps })).steps, withinMs);
  return lines.join("\n").replace(`Image ${name}: it will be pulled, `, "");
}

const unknown = (reason: string) => `size unknown: ${host} requires a login, but ${reason}`;

describe("the login to a registry", () => {
  it.each([
    ["in Docker's config", `{"auths":{"HOST":{"auth":"${account.slice(6)}"}},"credsStore":null}`, ""],
    ["by a helper", "", `read it; test "$it" = HOST; printf '{"Username":"me","Secret":"secret"}'`],
    ["by a helper that reads nothing", "", `exec <&-; printf '{"Username":"me","Secret":"secret"}'`],
  ])("uses the credentials stored %s", async (_where, text, script) => {
    if (text === "") installHelper(script.replace("HOST", host));
    else writeFileSync(config(), text.replace("HOST", host));
    expect(await previewedSize()).toBe("up to 3.0 MB");
  });

  it("is skipped if a helper has no credentials", async () => {
    installHelper("echo credentials not found; exit 1");
    expect(await previewedSize()).toMatch(/size unknown: .* denies access to a:1, .*: docker login /);
  });

  it.each([
    ["is not JSON", '{"auths":{"it":{"auth":"c2VjcmV0"'],
    ["is not an object", "null"],
    ["has another structure", '{"auths":["c2VjcmV0"],"credsStore":7}'],
  ])("reports a Docker config that %s in preview and pin, without its content", async (_what, text) => {
    writeFileSync(config(), text);
    const reason = `${config()} is not a valid Docker client config: fix or remove it`;
    expect(await previewedSize()).toBe(unknown(reason));
    await expect(resolveImages({ ollamaImage: `${host}/a:1` })).rejects.toMatchObject({
      name: "RegistryError",
      message: `ollamaImage ${host}/a:1: ${host} requires a login, but ${reason}`,
    });
  });

  it("reports a Docker config that cannot be read", async () => {
    mkdirSync(config());
    expect(await previewedSize()).toBe(
      unknown(`${config()} cannot be read (EISDIR: illegal operation on a directory)`),
    );
  });

  it.each([
    ["no JSON", "echo secret: unlocked"],
    ["nothing", ":"],
    ["no secret", `echo '{"Username":"me"}'`],
  ])("reports a helper that prints %s in preview and pin", async (_what, script) => {
    installHelper(script);
    const reason = "docker-credential-own did not print JSON with Username and Secret";
    expect(await previewedSize()).toBe(unknown(reason));
    await expect(resolveImages({ ollamaImage: `${host}/a:1` })).rejects.toMatchObject({
      name: "RegistryError",
      message: `ollamaImage ${host}/a:1: ${host} requires a login, but ${reason}`,
    });
  });

  it.each([
    ["does not finish", "sleep 8"],
    ["leaves a child process that holds its output", "sleep 8 & exit 0"],
  ])("times out for a helper that %s", async (_what, script) => {
    installHelper(script);
    const start = performance.now();
    expect(await previewedSize(500)).toBe(unknown("docker-credential-own does not respond in time"));
    expect(performance.now() - start).toBeLessThan(4_000);
  });

  it("lets the process exit after a helper has timed out", async () => {
    installHelper("sleep 8");
    const start = performance.now();
    const module = new URL("../../../scripts/registry/credentials.ts", import.meta.url).href;
    const code = `import { credentials } from ${JSON.stringify(module)};
      await credentials("it", AbortSignal.timeout(300)).catch((error) => console.log(error.message));`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    await once(child, "exit");
    expect(output).toBe("docker-credential-own does not respond in time\n");
    expect(performance.now() - start).toBeLessThan(7_000);
  }, 15_000);
});
