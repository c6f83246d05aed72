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

  /** Serves the file over HTTP; each interruption cuts off or stalls a download at its offset. */
  async function serveFile(interruptions: readonly Interruption[], ranges = true) {
    const requestedOffsets: number[] = [];
    const http = createServer((request, response) => {
      const requested = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      requestedOffsets.push(requested);
      const from = ranges ? requested : 0;
      response.writeHead(from > 0 ? 206 : 200, { "content-length": content.length - from });
      const next = interruptions.find(({ at }) => at > requested);
      if (next === undefined) return void response.end(content.subarray(from));
      response.write(content.subarray(from, next.at), () => {
        if (next.then === "cut") response.destroy();
      });
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    httpServers.push(http);
    return {
      url: `http://127.0.0.1:${String((http.address() as AddressInfo).port)}/tiny.gguf`,
      requestedOffsets,
    };
  }
  const httpServers: Server[] = [];
  afterEach(() => {
    for (const http of httpServers.splice(0)) {
      http.closeAllConnections();
      http.close();
    }
  });
  const gguf = (source: string) => ({ MODEL_SOURCE: source, MODEL_DIGEST: digest });

  it("is uploaded and becomes a model with its parameters, template and system prompt", async () => {
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

  it("is not uploaded again if the server has it", async () => {
    const { server, url } = await fake();
    server.blobs.set(`sha256:${digest}`, 1);
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(path) });
    expect(code).toBe(0);
    expect(stderr).toContain("the server already has");
    expect(server.blobs.get(`sha256:${digest}`)).toBe(1);
  });

  it.each(["cut", "hang"] as const)(
    "is downloaded from where it stopped after a %s",
    { timeout: 60_000 },
    async (then) => {
      const { server, url } = await fake();
      const download = await serveFile([
        { at: 1_000_000, then },
        { at: 1_500_000, then },
      ]);
      const environment = { OLLAMA_URL: url, ...(then === "hang" && { PULL_STALL_SECONDS: "1" }) };
      const { code, stderr } = await run("pull-model", { ...environment, ...gguf(download.url) });
      expect(code, stderr).toBe(0);
      expect(server.blobs.get(`sha256:${digest}`)).toBe(content.length);
      const starts = [0, 1_000_000, 1_500_000];
      if (then === "cut") expect(download.requestedOffsets).toEqual(starts);
      // On a busy machine a download may seem to hang at other offsets too, but it never goes back.
      expect(download.requestedOffsets).toEqual(
        download.requestedOffsets.toSorted((one, other) => one - other),
      );
      expect(download.requestedOffsets).toEqual(expect.arrayContaining(starts));
      expect(stderr).toMatch(then === "hang" ? /no progress for 1 s; retrying/ : /retrying in 1 s/);
    },
  );

  it("is downloaded from its start again if the server does not support ranges", async () => {
    const { server, url } = await fake();
    const download = await serveFile([{ at: 1_000_000, then: "cut" }], false);
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(download.url) });
    expect(code, stderr).toBe(0);
    expect(server.blobs.get(`sha256:${digest}`)).toBe(content.length);
  });

  it("is rejected if it has another SHA-256", async () => {
    const { url } = await fake();
    const { code, stderr } = await run("pull-model", {
      OLLAMA_URL: url,
      MODEL_SOURCE: path,
      MODEL_DIGEST: "1".repeat(64),
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not have the configured SHA-256 .*correct the model's digest/);
  });

  it("is rejected without a retry if its URL responds with 404", async () => {
    const { url } = await fake();
    const http = createServer((_request, response) => response.writeHead(404).end());
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    httpServers.push(http);
    const source = `http://127.0.0.1:${String((http.address() as AddressInfo).port)}/gone.gguf`;
    const { code, stderr } = await run("pull-model", { OLLAMA_URL: url, ...gguf(source) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/gone\.gguf responded with 404 .*Check the source of the model/);
    expect(stderr).not.toContain("retrying");
  });
});
