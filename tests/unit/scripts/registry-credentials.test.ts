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

// A registry that wants an account, and what `docker login` may have left of one.

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

/** A helper that Docker's config names for all registries. */
function helper(script: string): void {
  writeFileSync(config(), '{"credsStore":"own"}');
  writeFileSync(join(folder, "docker-credential-own"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** What a preview says of an image of that registry, after the part that is always the same. */
async function previewed(withinMs?: number): Promise<string | undefined> {
  const name = `${host}/a:1`;
  const urn = "urn:pulumi:dev::ollama-stack::docker:index/remoteImage:RemoteImage::ollama-image";
  const steps = [{ op: "create", urn, newState: { inputs: { name } } }];
  const lines = await imageDownloads(readPreview(JSON.stringify({ steps })).steps, withinMs);
  return lines.join("\n").replace(`Image ${name}: it will be pulled, `, "");
}

const unknown = (reason: string) => `size unknown: ${host} requires a login, but ${reason}`;

describe("a registry that asks for a login", () => {
  it.each([
    ["in Docker's config", `{"auths":{"HOST":{"auth":"${account.slice(6)}"}},"credsStore":null}`, ""],
    ["by a helper", "", `read it; test "$it" = HOST; printf '{"Username":"me","Secret":"secret"}'`],
    ["by a helper that reads nothing", "", `exec <&-; printf '{"Username":"me","Secret":"secret"}'`],
  ])("gets the account that is kept %s", async (_where, text, script) => {
    if (text === "") helper(script.replace("HOST", host));
    else writeFileSync(config(), text.replace("HOST", host));
    expect(await previewed()).toBe("up to 3.0 MB");
  });

  it("is asked without one when a helper knows none", async () => {
    helper("echo credentials not found; exit 1");
    expect(await previewed()).toMatch(/size unknown: .* denies access to a:1, .*: docker login /);
  });

  it.each([
    ["is no JSON", '{"auths":{"it":{"auth":"c2VjcmV0"'],
    ["is another thing", "null"],
    ["has another form", '{"auths":["c2VjcmV0"],"credsStore":7}'],
  ])(
    "ends neither preview nor pin with a config of Docker that %s, and nothing of it is shown",
    async (_what, text) => {
      writeFileSync(config(), text);
      const reason = `${config()} is not a valid Docker client config: fix or remove it`;
      expect(await previewed()).toBe(unknown(reason));
      await expect(resolveImages({ ollamaImage: `${host}/a:1` })).rejects.toMatchObject({
        name: "RegistryError",
        message: `ollamaImage ${host}/a:1: ${host} requires a login, but ${reason}`,
      });
    },
  );

  it("ends no preview with a config of Docker that cannot be read", async () => {
    mkdirSync(config());
    expect(await previewed()).toBe(
      unknown(`${config()} cannot be read (EISDIR: illegal operation on a directory)`),
    );
  });

  it.each([
    ["no JSON", "echo secret: unlocked"],
    ["nothing", ":"],
    ["no secret", `echo '{"Username":"me"}'`],
  ])("ends neither preview nor pin with a helper that answers with %s", async (_what, script) => {
    helper(script);
    const reason = "docker-credential-own did not print JSON with Username and Secret";
    expect(await previewed()).toBe(unknown(reason));
    await expect(resolveImages({ ollamaImage: `${host}/a:1` })).rejects.toMatchObject({
      name: "RegistryError",
      message: `ollamaImage ${host}/a:1: ${host} requires a login, but ${reason}`,
    });
  });

  it.each([
    ["waits for somebody", "sleep 8"],
    ["leaves another behind that holds its output", "sleep 8 & exit 0"],
  ])("keeps no preview waiting with a helper that %s", async (_what, script) => {
    helper(script);
    const begun = performance.now();
    expect(await previewed(500)).toBe(unknown("docker-credential-own does not respond in time"));
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it("lets a command end, too, that has waited for a helper in vain", async () => {
    helper("sleep 8");
    const begun = performance.now();
    const module = new URL("../../../scripts/registry/credentials.ts", import.meta.url).href;
    const code = `import { credentials } from ${JSON.stringify(module)};
      await credentials("it", AbortSignal.timeout(300)).catch((error) => console.log(error.message));`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", code], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await once(child, "exit");
    expect(said).toBe("docker-credential-own does not respond in time\n");
    expect(performance.now() - begun).toBeLessThan(7_000);
  }, 15_000);
});
