import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { writeConsole } from "../../../console/build.ts";
import { startFake, startGateway, type TestGateway } from "../../../test-support/gateway/gateway-harness.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-console-"));
beforeAll(() => {
  writeConsole(process.cwd(), folder);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const BROWSER = {
  accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
};

async function start(environment: Record<string, string> = {}): Promise<TestGateway> {
  return await startGateway(await startFake(), { CONSOLE_FOLDER: folder, ...environment });
}

interface RawResponse {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Sends an unmodified path: fetch would normalize it and decompress the response. */
async function sendRaw(
  { port }: TestGateway,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<RawResponse> {
  return await new Promise((resolve, reject) => {
    httpRequest({ port, path, method, headers }, (response) => {
      response.toArray().then((pieces) => {
        const { statusCode: status } = response;
        resolve({ status, headers: response.headers, body: Buffer.concat(pieces as Buffer[]) });
      }, reject);
    })
      .on("error", reject)
      .end();
  });
}

function fileNamed(extension: string): string {
  const found = readdirSync(folder).find((name) => name.endsWith(extension));
  if (found === undefined) throw new Error(`no ${extension}`);
  return found;
}

describe("the root path", () => {
  it("redirects browsers to the console and returns Ollama's greeting to other clients", async () => {
    const gateway = await start();
    for (const path of ["/", "/console"]) {
      const opened = await fetch(gateway.url + path, { headers: BROWSER });
      expect(opened.url).toBe(`${gateway.url}/console/`);
      expect(opened.headers.get("content-type")).toBe("text/html; charset=utf-8");
    }
    const others = ["*/*", "application/json", "text/plain, */*", ""];
    for (const accept of others) {
      const { status, body } = await sendRaw(gateway, "/", { headers: accept === "" ? {} : { accept } });
      expect([status, body.toString()]).toEqual([200, "Ollama is running"]);
    }
    expect(await sendRaw(gateway, "/", { method: "HEAD" })).toMatchObject({ status: 200 });
    const head = await sendRaw(gateway, "/", { method: "HEAD", headers: BROWSER });
    expect(head).toMatchObject({ status: 302, headers: { location: "console/", vary: "Accept" } });
  });

  it("names all headers that the response to a page of an allowed origin depends on", async () => {
    const gateway = await start();
    const origin = "http://localhost:3000";
    const varyOf = async (path: string) =>
      (await sendRaw(gateway, path, { headers: { ...BROWSER, origin } })).headers["vary"];
    expect(await varyOf("/")).toBe("Origin, Accept");
    expect(await varyOf("/console/")).toBe("Origin, Accept-Encoding");
  });

  it("redirects browsers without a key, but requires one from other clients", async () => {
    const gateway = await start({ API_KEYS: newKey("alice", []).line });
    const opened = await fetch(gateway.url, { headers: BROWSER });
    expect([opened.status, opened.url]).toEqual([200, `${gateway.url}/console/`]);
    expect((await fetch(gateway.url)).status).toBe(401);
    expect((await fetch(`${gateway.url}/v1/models`, { headers: BROWSER })).status).toBe(401);
    expect((await fetch(`${gateway.url}/admin/session`, { headers: BROWSER })).status).toBe(401);
  });

  it("returns Ollama's greeting to browsers if the console is off", async () => {
    const gateway = await start({ CONSOLE_FOLDER: "" });
    expect(await (await fetch(gateway.url, { headers: BROWSER })).text()).toBe("Ollama is running");
    for (const path of ["/console", "/console/", "/console/index.html"])
      expect((await fetch(gateway.url + path, { headers: BROWSER })).status).toBe(404);
  });
});

describe("the console page", () => {
  it("runs only its own script and cannot be framed", async () => {
    const gateway = await start();
    const response = await fetch(`${gateway.url}/console/`);
    const policy = response.headers.get("content-security-policy") ?? "";
    const directives = new Map(
      policy.split("; ").map((each) => [each.split(" ")[0], each.split(" ").slice(1).join(" ")]),
    );
    expect(Object.fromEntries(directives)).toMatchObject({
      "default-src": "'none'",
      "script-src": "'self'",
      "style-src": "'self'",
      "connect-src": "'self'",
      "frame-ancestors": "'none'",
      "base-uri": "'none'",
      "form-action": "'none'",
    });
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
      "cache-control": "no-cache",
    });
    const page = await response.text();
    expect(page).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?:\/\//);
    const named = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name = ""]) => name);
    expect(named).toHaveLength(3);
    for (const name of named) {
      const file = await fetch(`${gateway.url}/console/${name}`);
      expect(file.status).toBe(200);
      expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(file.headers.get("content-security-policy")).toBe(policy);
      expect(file.headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  it("is sent in the best encoding that the client accepts", async () => {
    const gateway = await start();
    const path = `/console/${fileNamed(".js")}`;
    const plain = await sendRaw(gateway, path);
    expect(plain.headers["content-encoding"]).toBeUndefined();
    expect(plain.headers["vary"]).toBe("Accept-Encoding");
    const cases = [
      ["gzip, deflate, br, zstd", "br", brotliDecompressSync],
      ["br;q=0, gzip", "gzip", gunzipSync],
      ["GZIP;q=0.5", "gzip", gunzipSync],
      ["identity", undefined, (body: Buffer) => body],
      ["br; q=0.000", undefined, (body: Buffer) => body],
    ] as const;
    for (const [accepted, encoding, decode] of cases) {
      const { headers, body } = await sendRaw(gateway, path, { headers: { "accept-encoding": accepted } });
      expect(headers["content-encoding"]).toBe(encoding);
      expect(headers["content-type"]).toBe("text/javascript; charset=utf-8");
      expect(Number(headers["content-length"])).toBe(body.length);
      expect(decode(body).equals(plain.body)).toBe(true);
    }
  });

  it("is not sent again to a client that has it cached", async () => {
    const gateway = await start();
    for (const path of ["/console/", `/console/${fileNamed(".css")}`]) {
      const first = await sendRaw(gateway, path, { headers: { "accept-encoding": "br" } });
      const etag = String(first.headers["etag"]);
      const other = await sendRaw(gateway, path, { headers: { "accept-encoding": "gzip" } });
      expect(other.headers["etag"]).not.toBe(etag);
      for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const again = await sendRaw(gateway, path, {
          headers: { "accept-encoding": "br", "if-none-match": known },
        });
        expect([again.status, again.body.length, again.headers["etag"]]).toEqual([304, 0, etag]);
      }
      const changed = await sendRaw(gateway, path, { headers: { "if-none-match": '"x"' } });
      expect(changed.status).toBe(200);
    }
  });

  it("returns the headers of a GET to a HEAD, without a body", async () => {
    const gateway = await start();
    for (const path of ["/console/", `/console/${fileNamed(".svg")}`]) {
      const get = await sendRaw(gateway, path);
      const head = await sendRaw(gateway, path, { method: "HEAD" });
      expect(head.body).toHaveLength(0);
      expect(head.status).toBe(200);
      for (const name of ["content-length", "content-type", "etag", "content-security-policy"])
        expect(head.headers[name]).toBe(get.headers[name]);
    }
    expect((await sendRaw(gateway, "/console/", { method: "POST" })).status).toBe(405);
  });

  it.each([
    "/console/../server.cjs",
    "/console/..%2fpackage.json",
    "/console/%2e%2e/package.json",
    "/console/..%5cpackage.json",
    "/console/%2fetc%2fpasswd",
    "/console//etc/passwd",
    "/console/index.html%00.js",
    "/console/__proto__",
    "/console/constructor",
    "/console/index.html.br",
    "/console/nested/index.html",
  ])("does not expose other files: %s", async (path) => {
    const { status, body } = await sendRaw(await start(), path);
    expect([400, 404]).toContain(status);
    expect(body.toString()).toMatch(/^\{"error":/);
  });
});

it("does not start if the console's folder is missing", async () => {
  await expect(start({ CONSOLE_FOLDER: "/nowhere" })).rejects.toThrow(
    /^CONSOLE_FOLDER=\/nowhere: .*a folder with the built web console/,
  );
});
