import { describe, expect, it } from "vitest";
import type { GpuRequest } from "../../../components/planning/gpus/request.ts";
import { find, gateway, made, read, server } from "../../../test-support/components/mocked-program.ts";

describe("replicas", () => {
  const behind = { gateways: ["x-duo", "x-duo-2"], edge: "x-edge", timeoutSeconds: 7 };

  it("of a gateway share an image, have separate aliases, publish no ports and are drained by their edge", async () => {
    await read(gateway("duo", { replicas: 2, published: { behind } }).url);
    expect(find("duo-container")).toMatchObject({ name: "x-duo", ports: [] });
    expect(find("duo-2-container")).toMatchObject({
      name: "x-duo-2",
      image: find("duo-container")["image"],
      networksAdvanced: [{ name: "net", aliases: ["gateway-2"] }],
    });
    expect(find("duo-2-ready")).toMatchObject({
      delete: "node components/commands/drain.ts",
      environment: {
        CONTAINER_NAME: "x-duo-2",
        CONTAINER_ID: "duo-2-container-id",
        DRAIN_EDGE: "x-edge",
        DRAIN_TIMEOUT_SECONDS: "7",
      },
    });
    // The first is ready before the second is created.
    const order = made.map(({ name }) => name);
    expect(order.indexOf("duo-ready")).toBeLessThan(order.indexOf("duo-2-container"));
  });

  it("of a gateway trust the edge and the proxies in front of it, but nobody without an edge", async () => {
    const environment = { TRUSTED_PROXIES: "10.0.0.0/8" };
    await read(gateway("edged", { published: { behind } }).url);
    await read(gateway("fronted", { published: { behind }, environment }).url);
    await read(gateway("lone").url);
    expect(find("edged-container")["envs"]).toContain("TRUSTED_PROXIES=edge");
    expect(find("fronted-container")["envs"]).toContain("TRUSTED_PROXIES=edge,10.0.0.0/8");
    expect(String(find("lone-container")["envs"])).not.toContain("TRUSTED_PROXIES");
  });

  it("of Ollama share a volume that only the first prunes, and are drained by the gateways", async () => {
    await read(server("pair", { replicas: 2, drain: behind }).url);
    expect(find("pair-2-container")).toMatchObject({ ports: [], mounts: find("pair-container")["mounts"] });
    expect(find("pair-2-container")["envs"]).toContain("OLLAMA_NOPRUNE=1");
    expect(find("pair-container")["envs"]).not.toContain("OLLAMA_NOPRUNE=1");
    expect(find("pair-ready")["environment"]).toMatchObject({
      CONTAINER_ID: "pair-container-id",
      DRAIN_SERVER: "ollama:11434",
      DRAIN_GATEWAYS: "x-duo,x-duo-2",
    });
  });

  it("of Ollama with GPUs are checked one at a time for models in GPU memory, except the first through a tunnel", async () => {
    const gpus: GpuRequest = { driver: "nvidia", count: -1, capabilities: ["gpu"] };
    const both = server("fast", { replicas: 2, drain: behind, gpus });
    const checks = both.gpuMemoryCheck([]);
    await Promise.all(checks.map(({ urn }) => read(urn)));
    expect(checks).toHaveLength(2);
    expect(find("fast-in-gpu-memory")["environment"]).toEqual({
      OLLAMA_URL: "http://127.0.0.1:8008",
      CONTAINER_NAME: "x-fast",
      CONTAINER_ID: "fast-container-id",
      MODELS: "[]",
    });
    expect(find("fast-2-in-gpu-memory")["environment"]).toEqual({
      OLLAMA_URL: "http://ollama-2:11434",
      CONTAINER_NAME: "x-fast-2",
      CONTAINER_ID: "fast-2-container-id",
      MODELS: "[]",
      TUNNEL_NETWORK: "net",
    });
    const order = made.map(({ name }) => name);
    expect(order.indexOf("fast-2-in-gpu-memory")).toBeGreaterThan(order.indexOf("fast-in-gpu-memory"));
  });

  it("are not drained if there is only one", async () => {
    await read(server("alone").url);
    await read(gateway("alone-gate").url);
    for (const name of ["alone", "alone-gate"]) expect(find(`${name}-ready`)["delete"]).toBeUndefined();
  });

  it("of Ollama are the backends of the gateway", async () => {
    const servers = [
      { host: "ollama", port: 11434 },
      { host: "ollama-2", port: 11434 },
    ];
    await read(gateway("many", { servers }).url);
    expect(find("many-container")["envs"]).toContain("LLM_BACKENDS=ollama:11434,ollama-2:11434");
  });
});
