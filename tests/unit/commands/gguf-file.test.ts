import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { parseRecord } from "../../../components/config/models/model-record.ts";
import { fake, run } from "../../../test-support/components/model-command.ts";

describe("a GGUF file", () => {
  const content = Buffer.concat([Buffer.from("GGUF"), randomBytes(3_000_000)]);
  const digest = createHash("sha256").update(content).digest("hex");
  const folder = mkdtempSync(join(tmpdir(), "gguf-"));
  const path = join(folder, "tiny.gguf");
  writeFileSync(path, content);
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  interface Interruption {
    readonly at: number;
    readonly then: "cut" | "hang";
  }

  /** Serves the file over HTTP; a download is cut off, or stands still, where it comes to an interruption. */
  async function serving(interruptions: readonly Interruption[], ranges = true) {
    const asked: number[] = [];
    const http = createServer((request, response) => {
      const wanted = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      asked.push(wanted);
      const from = ranges ? wanted : 0;
      response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
      const next = interruptions.find(({ at }) => at > wanted);
      if (next === undefined) return void response.end(content.subarray(from));
      response.write(content.subarray(from, next.at), () => {
        if (next.then === "cut") response.destroy();
      });
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    web.push(http);
    return { url: `http://127.0.0.1:${String((http.address() as AddressInfo).port)}/tiny.gguf`, asked };
  }
  const web: Server[] = [];
  afterEach(() => {
    for (const http of web.splice(0)) {
      http.closeAllConnections();
      http.close();
    }
  });
  const gguf = (source: string) => ({ MODEL_SOURCE: source, MODEL_DIGEST: digest });

  it("is uploaded and made a model with its parameters, template and system prompt", async () => {
    const { server, url } = await fake();
    const changes = {
      parameters: { num_ctx: 2048, stop: ["###"] },
      template: "{{ .Prompt }}",
      system: "Hi.",
    };
    const { code, stdout, stderr } = await run("pull-model", {
      OLLAMA_URL: url,
      ...gguf(path),
      MODEL_CHANGES: JSON.stringify(changes),
    });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/: 100 % of 3\.0 MB/);
    expect(server.blobs.get(`sha256:${digest}`)).toBe(content.length);
    const files = { "model.gguf": `sha256:${digest}` };
    expect(server.creations).toEqual([{ model: "tiny:1b", files, ...changes, stream: true }]);
    expect(parseRecord(stdout)).toMatchObject({ source: path, sourceDigest: digest });
  });

  it("that the server has is not uploaded again", async () => {
    const { server, url } = await fake();
    server.blobs.set(`sha256:${digest}`, 1);
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(path) });
    expect(code).toBe(0);
    expect(stderr).toContain("the server already has");
    expect(server.blobs.get(`sha256:${digest}`)).toBe(1);
  });

  it.each(["cut", "hang"] as const)(
    "from a URL goes on where it was when the download is: %s",
    { timeout: 60_000 },
    async (then) => {
      const { server, url } = await fake();
      const web = await serving([
        { at: 1_000_000, then },
        { at: 1_500_000, then },
      ]);
      const environment = { OLLAMA_URL: url, ...(then === "hang" && { PULL_STALL_SECONDS: "1" }) };
      const { code, stderr } = await run("pull-model", { ...environment, ...gguf(web.url) });
      expect(code, stderr).toBe(0);
      expect(server.blobs.get(`sha256:${digest}`)).toBe(content.length);
      const starts = [0, 1_000_000, 1_500_000];
      if (then === "cut") expect(web.asked).toEqual(starts);
      // On a busy machine a download may seem to hang elsewhere, too; it never goes back.
      expect(web.asked).toEqual(web.asked.toSorted((one, other) => one - other));
      expect(web.asked).toEqual(expect.arrayContaining(starts));
      expect(stderr).toMatch(then === "hang" ? /no progress for 1 s; retrying/ : /retrying in 1 s/);
    },
  );

  it("from a server without ranges is read again from its start, and arrives whole", async () => {
    const { server, url } = await fake();
    const web = await serving([{ at: 1_000_000, then: "cut" }], false);
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(web.url) });
    expect(code, stderr).toBe(0);
    expect(server.blobs.get(`sha256:${digest}`)).toBe(content.length);
  });

  it("that has another SHA-256 is refused", async () => {
    const { url } = await fake();
    const { code, stderr } = await run("pull-model", {
      OLLAMA_URL: url,
      MODEL_SOURCE: path,
      MODEL_DIGEST: "1".repeat(64),
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not have the configured SHA-256 .*correct the model's digest/);
  });

  it("that is not at its URL is refused at once", async () => {
    const { url } = await fake();
    const http = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    web.push(http);
    const source = `http://127.0.0.1:${String((http.address() as AddressInfo).port)}/gone.gguf`;
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(source) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/gone\.gguf responded with 404 .*Check the source of the model/);
    expect(stderr).not.toContain("retrying");
  });
});
