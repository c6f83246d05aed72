import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { StackConfig } from "../../../components/config/keys.ts";
import { planModels } from "../../../components/planning/models/plan.ts";
import type { ModelRecord } from "../../../components/config/models/model-record.ts";
import type { ModelConfig } from "../../../components/config/models/models.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";
import { FakeOllama } from "../../../test-support/fakes/fake-registry-ollama.ts";

// What a preview says of the models, line by line: an Ollama and a registry that answer as they are told, a disk whose
// free space a fake client of Docker tells.

const docker = new FakeDocker();
const ollama = new FakeOllama();
const part = (digit: string, size: number) => ({
  mediaType: "application/vnd.ollama.image.model",
  digest: `sha256:${digit.repeat(64)}`,
  size,
});
const manifest = {
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: part("c", 500),
  layers: [part("a", 4_200_000_000), part("b", 500_000_000)],
};
const digest = createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
/** What the registry has under other names; everything else is the manifest above. */
const others = new Map([["small", { ...manifest, layers: [part("d", 1_300_000_000)] }]]);
const registry = createServer((request, response) => {
  const [, name = ""] = /([^/]+)\/manifests\/1b$/.exec(request.url ?? "") ?? [];
  if (name === "none") response.writeHead(404).end();
  else response.end(JSON.stringify(others.get(name) ?? manifest));
});
let server: Parameters<typeof planModels>[2];
let source: string;
let records: ModelRecord[] = [];
/** The volume that the last update gave to Ollama's container. */
let volume: string;
let said: string[];

/** Where a preview stands, or an update, whose last one left these records. */
function inA(what: "preview" | "update"): Promise<void> {
  const outputs = () => ({
    ...Object.fromEntries(records.map((each) => [each.name, { outputs: { stdout: JSON.stringify(each) } }])),
    container: { outputs: { mounts: [{ source: volume, target: "/root/.ollama" }] } },
  });
  return pulumi.runtime.setMocks(
    { newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({ outputs: outputs() }) },
    "ollama-stack",
    "test",
    what === "preview",
    "organization",
  );
}

beforeAll(async () => {
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  source = `127.0.0.1:${String((registry.address() as AddressInfo).port)}/library/tiny:1b`;
  const engine = { dockerHost: "", dockerCertPath: "" };
  const volume = { name: "x-models", container: "x-ollama", path: "/root/.ollama", engine };
  server = { url: await ollama.start(), volume };
});
afterAll(async () => {
  registry.close();
  await ollama.stop();
  docker.remove();
});
beforeEach(async () => {
  ollama.models.clear();
  ollama.blobs.clear();
  records = [];
  volume = "x-models";
  said = [];
  for (const level of ["info", "warn"] as const)
    vi.spyOn(pulumi.log, level).mockImplementation((text: string) => {
      said.push(level === "info" ? text : `${level}: ${text}`);
      return Promise.resolve();
    });
  free(55_900_000);
  await inA("preview");
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Kilobytes that are free where the models are; undefined when nobody can tell. */
function free(kilobytes: number | undefined): void {
  docker.mock({
    "volume inspect": "[{}]",
    ...(kilobytes === undefined
      ? {}
      : { "container exec x-ollama df": `Filesystem ...\noverlay 99 9 ${String(kilobytes)} 9% /\n` }),
  });
}

const plan = (models: Partial<ModelConfig>[], at = server) => {
  const defaults = { name: "tiny:1b", source, insecure: true };
  const list = models.map((model) => ({ ...defaults, ...model }));
  const config = { models: list, ollamaHosts: [], modelVolume: "", dockerHost: "", dockerCertPath: "" };
  return planModels(config as unknown as StackConfig, { environment: {} }, at);
};

/** A model that the last update installed and that is there. */
function isThere(name: string, own: Partial<ModelRecord> = {}): void {
  const record = { name, digest, size: 4_700_000_500, source, sourceDigest: digest, changes: "", ...own };
  records.push(record);
  ollama.models.set(name, { digest: record.digest, size: record.size });
}

describe("a preview says of models", () => {
  it("that are new how large they are, how much more they take together, and how much is free", async () => {
    await plan([{}, { name: "twin:1b" }]);
    expect(said).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB",
      "Model twin:1b: it will be pulled, 4.7 GB",
      "The models need 4.7 GB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("how much of them is there already, whatever model it came with: that is not counted again", async () => {
    ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
    await plan([{}]);
    expect(said).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB (4.2 GB of it already present)",
      "The models need 500.0 MB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("nothing of space when all of it is there", async () => {
    for (const digit of ["a", "b", "c"]) ollama.blobs.set(`sha256:${digit.repeat(64)}`, 1);
    await plan([{}]);
    expect(said).toEqual(["Model tiny:1b: it will be pulled, 4.7 GB (4.7 GB of it already present)"]);
  });

  it("which are there, with their sizes", async () => {
    isThere("tiny:1b");
    isThere("twin:1b", { size: 98_400_000 });
    await plan([{}, { name: "twin:1b" }]);
    expect(said).toEqual(["Installed models: tiny:1b (4.7 GB), twin:1b (98.4 MB)"]);
  });

  it("that are there and whose tag moved both", async () => {
    isThere("tiny:1b", { sourceDigest: "1".repeat(64) });
    await plan([{}]);
    expect(said).toEqual([
      expect.stringMatching(/^warn: Model tiny:1b: its tag moved in the registry, from 1{12} to /),
      "Installed models: tiny:1b (4.7 GB)",
    ]);
  });

  it("once for each registry that does not respond that nobody knows whether their tags have moved", async () => {
    const away = "127.0.0.1:1/library/tiny:1b";
    isThere("tiny:1b", { source: away });
    isThere("twin:1b", { source: away });
    await plan([{ source: away }, { name: "twin:1b", source: away }]);
    expect(said).toEqual([
      "Installed models: tiny:1b (4.7 GB), twin:1b (4.7 GB)",
      "Cannot check whether tags moved: no registry responds at 127.0.0.1:1 (ECONNREFUSED)",
    ]);
  });

  it("that they are pulled into a volume that takes the place of another, unless it has them", async () => {
    isThere("tiny:1b");
    volume = "former";
    const [planned] = await plan([{}]);
    expect(planned?.repair).toBe("models are now kept in the volume x-models");
    expect(said).toEqual([
      "warn: Model tiny:1b: models are now kept in the volume x-models; it will be pulled, 4.7 GB, unless the volume x-models already has it",
      "The models need 4.7 GB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("whose size nobody knows why", async () => {
    await plan([{ source: "127.0.0.1:1/library/tiny:1b" }]);
    expect(said).toEqual([
      "Model tiny:1b: it will be pulled, size unknown: no registry responds at 127.0.0.1:1 (ECONNREFUSED)",
    ]);
  });

  it("that nobody knows how much is free, where that is so", async () => {
    free(undefined);
    await plan([{}]);
    expect(said.at(-1)).toBe(
      "The models need 4.7 GB more disk space; how much is free on the engine's disk is unknown",
    );
  });
});

describe("what the disk has no room for", () => {
  it("is refused by what df says, with what to do", async () => {
    free(4_000_000);
    await expect(plan([{}])).rejects.toThrow(
      /^The models need 4\.7 GB more disk space, but only 4\.1 GB are free on the engine's disk\. Free some space \(docker system df shows the usage\), or remove models from the list\.$/,
    );
  });

  it("is let pass when so much of it is there that the rest fits", async () => {
    ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
    free(4_000_000);
    await plan([{}]);
    expect(said.at(-1)).toMatch(/^The models need 500\.0 MB more disk space; 4\.1 GB are free/);
  });

  it("is only warned of when a volume that no server shows may have it", async () => {
    free(4_000_000);
    await plan([{}], { ...server, url: "http://127.0.0.1:1" });
    expect(said).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB, unless the volume x-models already has it",
      "warn: The models need 4.7 GB more disk space, but only 4.1 GB are free on the engine's disk, unless the volume x-models already has them",
    ]);
  });
});

it("is what docs/models.md shows", async () => {
  const small = source.replace("tiny", "small");
  const moved = `baf6a787fdff${"0".repeat(52)}`;
  isThere("llama3.2:1b", { source: small, sourceDigest: moved, size: 1_300_000_500 });
  isThere("own:latest", { source: "/own.gguf", sourceDigest: digest, size: 98_400_000 });
  isThere("terse:1b");
  ollama.models.delete("terse:1b");
  ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
  free(54_589_844);
  await plan([
    { name: "llama3.2:1b", source: small },
    { name: "coder:7b" },
    { name: "terse:1b", source: small },
    { name: "own:latest", source: "/own.gguf", digest },
  ]);
  const docs = readFileSync("docs/models.md", "utf8");
  const [, sample = ""] = /## What preview says\n\n```text\n(.*?)\n```/s.exec(docs) ?? [];
  // To what a tag moves follows from the model.
  const lines = said.map((line) => line.replace("warn: ", "").replace(/ to [0-9a-f]{12}\./, " to ...."));
  expect(lines).toEqual(sample.replace(/ to [0-9a-f]{12}\./, " to ....").split("\n"));
});

it("an update does not say again what is there, and refuses a model that there is not, like a preview", async () => {
  isThere("tiny:1b");
  await inA("update");
  await plan([{}]);
  expect(said).toEqual([]);
  await expect(plan([{}, { name: "none:1b", source: source.replace("tiny", "none") }])).rejects.toThrow(
    /^Model none:1b: the registry does not have the model .*none:1b\. Check its name and tag/,
  );
});
