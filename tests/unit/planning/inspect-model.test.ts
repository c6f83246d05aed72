import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inspectModel, type InspectionContext } from "../../../components/planning/models/inspect.ts";
import type { ModelRecord } from "../../../components/config/models/model-record.ts";
import type { ModelConfig } from "../../../components/config/models/models.ts";
import { ModelRegistryClient } from "../../../components/planning/models/registry-client.ts";

// What preview finds out of a model, against a registry that answers as it is told.

const layer = (mediaType: string, digit: string, size: number) => ({
  mediaType,
  digest: `sha256:${digit.repeat(64)}`,
  size,
});
const manifest = {
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: layer("application/vnd.docker.container.image.v1+json", "c", 500),
  layers: [layer("application/vnd.ollama.image.model", "a", 98_000_000)],
};
// As Ollama writes it down, whatever blanks and fields the registry adds.
const digest = createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
const other = "1".repeat(64);

let registry: Server;
let reference: string;
const upstream = new ModelRegistryClient(new Map([["registry", "127.0.0.1"]]));
const folder = mkdtempSync(join(tmpdir(), "model-look-"));

beforeAll(async () => {
  registry = createServer((request, response) => {
    if (request.url === "/v2/library/tiny/manifests/1b")
      response.end(JSON.stringify({ annotations: {}, ...manifest }, undefined, 3));
    else if (request.url === "/file.gguf") response.writeHead(200, { "content-length": 1234 }).end();
    else if (request.url?.startsWith("/v2/locked/") === true) response.writeHead(401).end();
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  reference = `registry:${String((registry.address() as AddressInfo).port)}/library/tiny:1b`;
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  registry.close();
});

const record = (change: Partial<ModelRecord> = {}): ModelRecord => ({
  name: "tiny:1b",
  digest,
  size: 98_000_500,
  source: reference,
  sourceDigest: digest,
  changes: "",
  ...change,
});

/** Looks at a model of the registry; undefined for what the server has means that it does not respond. */
function look(
  model: Partial<ModelConfig>,
  { had, has, follow = false }: { had?: ModelRecord; has?: string | false; follow?: boolean } = {},
) {
  const around: InspectionContext = {
    installed:
      has === undefined
        ? undefined
        : new Map(has === false ? [] : [["tiny:1b", { name: "tiny:1b", digest: has, size: 5 }]]),
    records: new Map(had === undefined ? [] : [["tiny:1b", had]]),
    upstream,
    follow,
  };
  return inspectModel({ name: "tiny:1b", source: reference, insecure: true, ...model }, around);
}

describe("a model of a registry", () => {
  it("that is new will be pulled: its layers and their sizes are told", async () => {
    const { action, layers, problem } = await look({});
    expect(action).toEqual({ kind: "install", why: "new", repair: false });
    expect(layers).toMatchObject([manifest.config, ...manifest.layers]);
    expect(problem).toBeUndefined();
  });

  it("that is there, as the last update left it, is left alone", async () => {
    const found = await look({}, { had: record(), has: digest });
    expect(found.action).toEqual({ kind: "there", bytes: 98_000_500 });
    expect(found.movedTag).toBeUndefined();
    expect(found.planned.repair).toBeUndefined();
  });

  it("that a kept volume has is taken over", async () => {
    expect((await look({}, { has: digest })).action).toEqual({ kind: "there", bytes: 5 });
  });

  it.each([
    ["removed", false, /somebody removed it from the server/],
    ["replaced", other, /somebody replaced it on the server: [0-9a-f]{12} is now 111111111111/],
  ] as const)("that somebody %s is repaired", async (_how, has, why) => {
    const { planned, action } = await look({}, { had: record(), has });
    expect(action.kind).toBe("install");
    expect(planned.repair).toMatch(why);
  });

  it.each([
    ["source", { source: "other:1b", insecure: false }, /its source changed/],
    ["parameters", { parameters: { seed: 1 } }, /its parameters, template or system prompt changed/],
  ] as const)("whose %s changed is no repair: Pulumi sees it by itself", async (_what, change, why) => {
    const { planned, action } = await look(change, { had: record(), has: digest });
    expect(action).toMatchObject({
      kind: "install",
      repair: false,
      why: expect.stringMatching(why) as string,
    });
    expect(planned.repair).toBeUndefined();
  });

  it("whose tag moved is shown and stays, unless that is to be followed", async () => {
    const had = record({ digest: other, sourceDigest: other });
    const stays = await look({}, { had, has: other });
    expect(stays.action.kind).toBe("there");
    expect(stays.movedTag).toMatch(
      /its tag moved in the registry, from 111111111111 to [0-9a-f]{12}\. .*--update-models/,
    );
    const follows = await look({}, { had, has: other, follow: true });
    expect(follows.planned.repair).toMatch(/its tag moved from 111111111111 to/);
    expect(follows.movedTag).toBeUndefined();
  });

  it("whose pinned digest is another than the registry's is refused", async () => {
    const { problem } = await look({ digest: other }, { has: false });
    expect(problem).toBe(
      `Model tiny:1b: its digest must be ${other}, but ${reference} has ${digest}, 98.0 MB. ` +
        `Find out what changed; to accept it, set the model's digest to the new one.`,
    );
  });

  it("that is pinned and there asks no registry, whatever that has by now", async () => {
    const had = record({ digest: other, sourceDigest: other });
    const found = await look({ digest: other }, { had, has: other });
    expect(found.action.kind).toBe("there");
    expect(found.problem).toBeUndefined();
    expect(found.layers).toBeUndefined();
  });

  it("that the registry does not have is refused", async () => {
    const { problem } = await look({ source: reference.replace("tiny", "none") });
    expect(problem).toMatch(
      /^Model tiny:1b: the registry does not have the model registry:\d+\/library\/none:1b\. Check its name and tag/,
    );
  });

  it.each([
    [
      "does not respond",
      "127.0.0.1:1/library/tiny:1b",
      /no registry responds at 127\.0\.0\.1:1 \(ECONNREFUSED\)/,
    ],
    ["wants a login", "", /the registry registry:\d+ responded with 401/],
  ])("whose registry %s is no reason to stop", async (_how, source, expected) => {
    const found = await look({ source: source === "" ? reference.replace("library", "locked") : source });
    expect(found.problem).toBeUndefined();
    expect(found.unreachable).toMatch(expected);
    expect(found.layers).toBeUndefined();
  });
});

describe("a GGUF file", () => {
  const path = join(folder, "own.gguf");
  const content = "GGUF and more";
  const sha = createHash("sha256").update(content).digest("hex");
  writeFileSync(path, content);

  it("on this machine is pinned to what it is now", async () => {
    const { planned, layers } = await look({ source: path, insecure: false });
    expect(planned.digest).toBe(sha);
    expect(layers).toEqual([{ digest: `sha256:${sha}`, size: content.length }]);
  });

  it("whose content changed is installed anew", async () => {
    const had = record({ source: path, sourceDigest: other });
    const { action } = await look({ source: path, insecure: false }, { had, has: digest });
    expect(action).toMatchObject({ kind: "install", repair: false });
  });

  it.each([
    [
      "is not there",
      join(folder, "none.gguf"),
      /the file .*none\.gguf cannot be read \(ENOENT\)\. Check its source/,
    ],
    ["is none", import.meta.filename, /inspect-model\.test\.ts is not a GGUF file/],
  ])("that %s is refused", async (_how, source, expected) => {
    expect((await look({ source, insecure: false })).problem).toMatch(expected);
  });

  it("that is not what is pinned is refused", async () => {
    const { problem } = await look({ source: path, insecure: false, digest: other });
    expect(problem).toMatch(/its digest must be 1{64}, but .*own\.gguf has [0-9a-f]{64}/);
  });

  it("at a URL tells its size, and is what the config says it is", async () => {
    const port = String((registry.address() as AddressInfo).port);
    const { layers, planned } = await look({
      source: `http://127.0.0.1:${port}/file.gguf`,
      insecure: false,
      digest: other,
    });
    expect(planned.digest).toBe(other);
    expect(layers).toEqual([{ digest: `sha256:${other}`, size: 1234 }]);
  });
});
