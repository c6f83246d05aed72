import { beforeEach, describe, expect, it } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/fake-registry-ollama.ts";
import { fake, run } from "../../../test-support/components/model-command.ts";

// Runs the command as Pulumi does during an update of an Ollama server with GPUs.
const [tiny, big] = [
  { name: "tiny:1b", digest: "a".repeat(64) },
  { name: "big:70b", digest: "b".repeat(64) },
];
let server: FakeOllama;
let url: string;
beforeEach(async () => {
  ({ server, url } = await fake());
  for (const { name, digest } of [tiny, big]) server.models.set(name, { digest, size: 1 });
});

const check = (models: readonly { name: string; digest: string }[], more: Record<string, string> = {}) =>
  run("check-gpu-memory", {
    OLLAMA_URL: url,
    CONTAINER_NAME: "x-ollama",
    MODELS: JSON.stringify(models),
    ...more,
  });

describe("the check of GPU memory", () => {
  it("loads each model and prints its size", async () => {
    server.memory.set(tiny.name, { size: 1_500_000_000, size_vram: 1_500_000_000 });
    server.memory.set(big.name, { size: 45_000_000_000, size_vram: 45_000_000_000 });
    server.embedding.add(tiny.name);
    const { code, stdout, stderr } = await check([tiny, big]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(stdout).toBe("tiny:1b: 1.5 GB, all in GPU memory\nbig:70b: 45.0 GB, all in GPU memory\n");
    // No keep_alive is sent, so the server's default or an earlier client's value applies.
    expect([...server.loaded.values()]).toEqual([undefined, undefined]);
  });

  it("fails with both sizes and what to check if a model runs on the CPU", async () => {
    server.memory.set(tiny.name, { size: 1_500_000_000, size_vram: 0 });
    server.memory.set(big.name, { size: 45_000_000_000, size_vram: 45_000_000_000 });
    const { code, stderr } = await check([tiny, big]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "Model tiny:1b runs on the CPU although gpus is set: GPU memory holds 0 B of its 1.5 GB (/api/ps: size_vram 0, size 1500000000). Check which GPUs Ollama found with docker logs x-ollama 2>&1 | grep 'inference compute', and that nvidia-smi works on the engine's host.\n",
    );
  });

  it("fails with the share in GPU memory and a fix if a model runs partly on the CPU", async () => {
    server.memory.set(big.name, { size: 45_000_000_000, size_vram: 23_600_000_000 });
    const { code, stderr } = await check([big]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^Model big:70b runs partly on the CPU: GPU memory holds 23\.6 GB of its 45\.0 GB .*ollamaContextLength/,
    );
  });

  it("accepts a listed model that shares its loaded file with another one", async () => {
    server.memory.set(big.name, { size: 100, size_vram: 100 });
    server.loaded.set(big.name, undefined);
    // Ollama lists only the first of two names for the same file.
    const { code, stdout } = await check([big, { name: "big:70b", digest: "c".repeat(64) }]);
    expect(code).toBe(0);
    expect(stdout.match(/all in GPU memory/g)).toHaveLength(2);
  });

  it("ignores models that another client loaded", async () => {
    server.memory.set(tiny.name, { size: 100, size_vram: 100 });
    server.models.set("foreign:1b", { digest: "f".repeat(64), size: 1 });
    server.memory.set("foreign:1b", { size: 100, size_vram: 0 });
    server.loaded.set("foreign:1b", undefined);
    // Someone replaced the model since the update installed it, so only its name matches.
    const { code, stderr } = await check([{ ...tiny, digest: "e".repeat(64) }]);
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("covers models that are not kept loaded", async () => {
    server.memory.set(tiny.name, { size: 100, size_vram: 100 });
    expect((await check([tiny], { LOAD_KEEP_ALIVE: "1m" })).code).toBe(0);
    expect(server.loaded.get(tiny.name)).toBe("1m");
  });

  it("fails for a model that cannot be loaded", async () => {
    const { code, stderr } = await check([{ name: "gone:1b", digest: "d" }]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "Model gone:1b cannot be loaded: model 'gone:1b' not found. Check the log: docker logs x-ollama 2>&1 | tail -50\n",
    );
  });

  it("fails with one line if the server does not respond", async () => {
    const { code, stderr } = await check([tiny], { OLLAMA_URL: "http://127.0.0.1:9" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Cannot check the models' memory of Ollama at http:\/\/127\.0\.0\.1:9: .+\n$/);
  });
});
