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

// The lines that a preview prints about models, with a fake Ollama, a fake registry, and a fake Docker client that
// reports the free disk space.

const docker = new FakeDocker();
const ollama = new FakeOllama();
const layer = (digit: string, size: number) => ({
  mediaType: "application/vnd.ollama.image.model",
  digest: `sha256:${digit.repeat(64)}`,
  size,
});
const manifest = {
  schemaVersion: 2,
  mediaType: "application/vnd.docker.distribution.manifest.v2+json",
  config: layer("c", 500),
  layers: [layer("a", 4_200_000_000), layer("b", 500_000_000)],
};
const digest = createHash("sha256").update(JSON.stringify(manifest)).digest("hex");
/** Manifests of other models; the registry returns the one above for every other name. */
const otherManifests = new Map([["small", { ...manifest, layers: [layer("d", 1_300_000_000)] }]]);
const registry = createServer((request, response) => {
  const [, name = ""] = /([^/]+)\/manifests\/1b$/.exec(request.url ?? "") ?? [];
  if (name === "none") response.writeHead(404).end();
  else response.end(JSON.stringify(otherManifests.get(name) ?? manifest));
});
let server: Parameters<typeof planModels>[2];
let source: string;
let records: ModelRecord[] = [];
/** The volume that the last update mounted into Ollama's container. */
let volume: string;
let logged: string[];

/** Mocks Pulumi's runtime for a preview or an update, with the records that the last update left. */
function mockRuntime(operation: "preview" | "update"): Promise<void> {
  const outputs = () => ({
    ...Object.fromEntries(records.map((each) => [each.name, { outputs: { stdout: JSON.stringify(each) } }])),
    container: { outputs: { mounts: [{ source: volume, target: "/root/.ollama" }] } },
  });
  return pulumi.runtime.setMocks(
    { newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({ outputs: outputs() }) },
    "ollama-stack",
    "test",
    operation === "preview",
    "organization",
  );
}

beforeAll(async () => {
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
  source = `127.0.0.1:${String((registry.address() as AddressInfo).port)}/library/tiny:1b`;
  const engine = { dockerHost: "", dockerCertPath: "" };
  const host = { name: "", root: "" };
  const volume = { name: "x-models", container: "x-ollama", path: "/root/.ollama", engine, host };
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
  logged = [];
  for (const level of ["info", "warn"] as const)
    vi.spyOn(pulumi.log, level).mockImplementation((text: string) => {
      logged.push(level === "info" ? text : `${level}: ${text}`);
      return Promise.resolve();
    });
  setFreeSpace(55_900_000);
  await mockRuntime("preview");
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Sets the free kilobytes on the models' disk; undefined if they cannot be determined. */
function setFreeSpace(kilobytes: number | undefined): void {
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

/** Adds a model that the last update installed and that the server has. */
function addInstalledModel(name: string, own: Partial<ModelRecord> = {}): void {
  const record = { name, digest, size: 4_700_000_500, source, sourceDigest: digest, changes: "", ...own };
  records.push(record);
  ollama.models.set(name, { digest: record.digest, size: record.size });
}

describe("a preview", () => {
  it("prints the size of new models, the space that they need together, and the free space", async () => {
    await plan([{}, { name: "twin:1b" }]);
    expect(logged).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB",
      "Model twin:1b: it will be pulled, 4.7 GB",
      "The models need 4.7 GB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("does not count layers that are present, whatever model they came with", async () => {
    ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
    await plan([{}]);
    expect(logged).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB (4.2 GB of it already present)",
      "The models need 500.0 MB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("does not mention disk space if all layers are present", async () => {
    for (const digit of ["a", "b", "c"]) ollama.blobs.set(`sha256:${digit.repeat(64)}`, 1);
    await plan([{}]);
    expect(logged).toEqual(["Model tiny:1b: it will be pulled, 4.7 GB (4.7 GB of it already present)"]);
  });

  it("lists installed models with their sizes", async () => {
    addInstalledModel("tiny:1b");
    addInstalledModel("twin:1b", { size: 98_400_000 });
    await plan([{}, { name: "twin:1b" }]);
    expect(logged).toEqual(["Installed models: tiny:1b (4.7 GB), twin:1b (98.4 MB)"]);
  });

  it("lists an installed model and warns that its tag moved", async () => {
    addInstalledModel("tiny:1b", { sourceDigest: "1".repeat(64) });
    await plan([{}]);
    expect(logged).toEqual([
      expect.stringMatching(/^warn: Model tiny:1b: its tag moved in the registry, from 1{12} to /),
      "Installed models: tiny:1b (4.7 GB)",
    ]);
  });

  it("reports once for each unreachable registry that tags cannot be checked", async () => {
    const unreachable = "127.0.0.1:1/library/tiny:1b";
    addInstalledModel("tiny:1b", { source: unreachable });
    addInstalledModel("twin:1b", { source: unreachable });
    await plan([{ source: unreachable }, { name: "twin:1b", source: unreachable }]);
    expect(logged).toEqual([
      "Installed models: tiny:1b (4.7 GB), twin:1b (4.7 GB)",
      "Cannot check whether tags moved: no registry responds at 127.0.0.1:1 (ECONNREFUSED)",
    ]);
  });

  it("warns that models are pulled into a new volume unless it has them", async () => {
    addInstalledModel("tiny:1b");
    volume = "former";
    const [planned] = await plan([{}]);
    expect(planned?.repair).toBe("models are now kept in the volume x-models");
    expect(logged).toEqual([
      "warn: Model tiny:1b: models are now kept in the volume x-models; it will be pulled, 4.7 GB, unless the volume x-models already has it",
      "The models need 4.7 GB more disk space; 57.2 GB are free on the engine's disk",
    ]);
  });

  it("prints why the size of a model is unknown", async () => {
    await plan([{ source: "127.0.0.1:1/library/tiny:1b" }]);
    expect(logged).toEqual([
      "Model tiny:1b: it will be pulled, size unknown: no registry responds at 127.0.0.1:1 (ECONNREFUSED)",
    ]);
  });

  it("prints that the free space is unknown", async () => {
    setFreeSpace(undefined);
    await plan([{}]);
    expect(logged.at(-1)).toBe(
      "The models need 4.7 GB more disk space; how much is free on the engine's disk is unknown",
    );
  });
});

describe("models that exceed the free disk space", () => {
  it("are rejected with the free space that df reports and the fix", async () => {
    setFreeSpace(4_000_000);
    await expect(plan([{}])).rejects.toThrow(
      /^The models need 4\.7 GB more disk space, but only 4\.1 GB are free on the engine's disk\. Free some space \(docker system df shows the usage\), or remove models from the list\.$/,
    );
  });

  it("are accepted if the missing layers fit", async () => {
    ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
    setFreeSpace(4_000_000);
    await plan([{}]);
    expect(logged.at(-1)).toMatch(/^The models need 500\.0 MB more disk space; 4\.1 GB are free/);
  });

  it("only cause a warning if the volume may have them and the server does not respond", async () => {
    setFreeSpace(4_000_000);
    await plan([{}], { ...server, url: "http://127.0.0.1:1" });
    expect(logged).toEqual([
      "Model tiny:1b: it will be pulled, 4.7 GB, unless the volume x-models already has it",
      "warn: The models need 4.7 GB more disk space, but only 4.1 GB are free on the engine's disk, unless the volume x-models already has them",
    ]);
  });
});

it("docs/models.md shows the lines of a preview", async () => {
  const small = source.replace("tiny", "small");
  const moved = `baf6a787fdff${"0".repeat(52)}`;
  addInstalledModel("llama3.2:1b", { source: small, sourceDigest: moved, size: 1_300_000_500 });
  addInstalledModel("own:latest", { source: "/own.gguf", sourceDigest: digest, size: 98_400_000 });
  addInstalledModel("terse:1b");
  ollama.models.delete("terse:1b");
  ollama.blobs.set(`sha256:${"a".repeat(64)}`, 4_200_000_000);
  setFreeSpace(54_589_844);
  await plan([
    { name: "llama3.2:1b", source: small },
    { name: "coder:7b" },
    { name: "terse:1b", source: small },
    { name: "own:latest", source: "/own.gguf", digest },
  ]);
  const docs = readFileSync("docs/models.md", "utf8");
  const [, sample = ""] = /## Output of the preview\n\n```text\n(.*?)\n```/s.exec(docs) ?? [];
  // The new digest of a tag depends on the manifest above.
  const lines = logged.map((line) => line.replace("warn: ", "").replace(/ to [0-9a-f]{12}\./, " to ...."));
  expect(lines).toEqual(sample.replace(/ to [0-9a-f]{12}\./, " to ....").split("\n"));
});

it("an update does not list installed models again, and rejects a missing model like a preview", async () => {
  addInstalledModel("tiny:1b");
  await mockRuntime("update");
  await plan([{}]);
  expect(logged).toEqual([]);
  await expect(plan([{}, { name: "none:1b", source: source.replace("tiny", "none") }])).rejects.toThrow(
    /^Model none:1b: the registry does not have the model .*none:1b\. Check its name and tag/,
  );
});
