import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { beforeAll, describe, expect, it } from "vitest";
import {
  made,
  access,
  limits,
  read,
  find,
  server,
  gateway,
  ServiceNetwork,
  OllamaModel,
} from "../../../test-support/components/mocked-program.ts";

describe("every container", () => {
  beforeAll(async () => {
    await read(server("any").url);
    await read(gateway("gate").url);
  });

  it.each(["any-container", "gate-container"])("%s has the least privileges and all limits", (name) => {
    expect(find(name)).toMatchObject({
      readOnly: true,
      capabilities: { drops: ["ALL"] },
      securityOpts: ["no-new-privileges"],
      memory: 512,
      memorySwap: 512,
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      logOpts: { "max-size": "10m", "max-file": "3" },
      restart: "unless-stopped",
    });
    expect(find(name)["privileged"]).toBeUndefined();
  });

  it.each(["any", "gate"])("%s publishes its port only on the given address", (name) => {
    const ports = find(`${name}-container`)["ports"] as { ip: string }[];
    expect(ports.map(({ ip }) => ip)).toEqual(["127.0.0.1"]);
  });

  it.each(["any", "gate"])("%s has time to stop, and a readiness check", (name) => {
    expect(find(`${name}-container`)["destroyGraceSeconds"]).toBeGreaterThanOrEqual(10);
    expect(find(`${name}-ready`)["environment"]).toMatchObject({
      CONTAINER_NAME: `x-${name}`,
      PIDS_LIMIT: "99",
    });
  });
});

describe("OllamaServer", () => {
  it("keeps its models in a volume named after the container", async () => {
    await read(server("vol").url);
    expect(find("vol-models")).toMatchObject({ name: "x-vol-models" });
    expect(find("vol-container")["mounts"]).toEqual([
      { type: "volume", source: "x-vol-models", target: "/root/.ollama" },
    ]);
  });

  it("passes its settings as Ollama's variables", async () => {
    await read(server("envs").url);
    expect(find("envs-container")["envs"]).toEqual(
      expect.arrayContaining([
        "OLLAMA_NUM_PARALLEL=2",
        "OLLAMA_CONTEXT_LENGTH=8192",
        "OLLAMA_KEEP_ALIVE=5m",
        "OLLAMA_NO_CLOUD=1",
      ]),
    );
  });

  it("accepts extra hosts, including IPv6 addresses", async () => {
    await read(server("hosts", { hosts: ["registry:host-gateway", "six:fe80::1"] }).url);
    expect(find("hosts-container")["hosts"]).toEqual([
      { host: "registry", ip: "host-gateway" },
      { host: "six", ip: "fe80::1" },
    ]);
  });

  it.each([
    ["0.0.0.0", "http://127.0.0.1:8008"],
    ["::", "http://[::1]:8008"],
    ["::1", "http://[::1]:8008"],
    ["10.0.0.5", "http://10.0.0.5:8008"],
  ])("bound to %s has the URL %s", async (bindAddress, url) => {
    expect(await read(server(`bind-${bindAddress}`, { bindAddress }).url)).toBe(url);
  });

  it("has all CPUs without a CPU limit, and no GPU by default", async () => {
    await read(server("free", { limits: { ...limits, cpus: "" } }).url);
    expect(find("free-container")).not.toHaveProperty("cpuQuota");
    expect(find("free-container")).not.toHaveProperty("deviceRequests");
  });
});

const modelSettings = {
  serverUrl: "http://127.0.0.1:8008",
  server: { container: "x-ollama", volume: "x-ollama-models" },
  access,
  model: "tiny:1b",
  source: "registry:5000/library/tiny:1b",
  insecure: true,
  digest: "a".repeat(64),
  changes: { system: "You are terse." },
  keepSource: false,
  repair: undefined,
  retain: false,
  stallSeconds: 60,
};

describe("OllamaModel", () => {
  it("passes its settings to the pull, and outputs digest and size", async () => {
    const model = new OllamaModel("model", modelSettings);
    expect(await read(model.digest)).toBe("abc");
    expect(await read(model.sizeBytes)).toBe(42);
    expect(find("model-pull")["environment"]).toEqual({
      OLLAMA_URL: "http://127.0.0.1:8008",
      OLLAMA_CONTAINER: "x-ollama",
      OLLAMA_VOLUME: "x-ollama-models",
      MODEL: "tiny:1b",
      MODEL_SOURCE: "registry:5000/library/tiny:1b",
      MODEL_INSECURE: "true",
      MODEL_KEEP_SOURCE: "false",
      PULL_STALL_SECONDS: "60",
      MODEL_DIGEST: "a".repeat(64),
      MODEL_CHANGES: '{"system":"You are terse."}',
    });
  });
});

describe("the models of a stack", () => {
  it("are retained as they specify, else as the stack specifies", async () => {
    const { declareModels } = await import("../../../components/resources/models.ts");
    const common = { insecure: false, digest: undefined, changes: {}, keepLoaded: false, repair: undefined };
    const model = (name: string, retain?: boolean) => ({ ...common, name, source: name, retain });
    const plan = [model("kept:1b", true), model("deleted:1b", false), model("unset:1b")];
    for (const retain of [false, true]) {
      const declared = declareModels(plan, {
        access,
        serverUrl: `http://${String(retain)}`,
        server: modelSettings.server,
        config: { retainModels: retain, modelVolume: "", pullStallSeconds: 60 },
      });
      await Promise.all(declared.map(({ digest }) => read(digest)));
    }
    const retained = (name: string) =>
      made.filter((entry) => entry.name === `model-${name}`).map(({ inputs }) => inputs["retain"]);
    expect(retained("kept:1b")).toEqual([true, true]);
    expect(retained("deleted:1b")).toEqual([false, false]);
    expect(retained("unset:1b")).toEqual([false, true]);
  });
});

describe("Gateway", () => {
  const behindEdge = { behind: { gateways: ["x-keyed"], edge: "x-edge", timeoutSeconds: 300 } };

  it("passes its settings in variables that the gateway knows", async () => {
    const { variables } = await import("../../../gateway/src/config/config.ts");
    await read(gateway("vars").url);
    const envs = find("vars-container")["envs"] as string[];
    for (const line of envs) expect(Object.keys(variables)).toContain(line.split("=")[0]);
    expect(envs).toEqual(
      expect.arrayContaining([
        "LLM_SERVICE_HOST_IP=ollama",
        "LLM_SERVICE_PORT=11434",
        "OLLAMA_NUM_PARALLEL=2",
        "OLLAMA_KEEP_ALIVE=5m",
        "LLM_MODEL_ID=tiny:1b",
        "REQUIRED_MODELS=tiny:1b,big:70b",
        "KEEP_LOADED_MODELS=big:70b",
      ]),
    );
  });

  it("allows its names in the network and configured host names", async () => {
    await read(gateway("known", { allowedHosts: ["llm.example.org", ".corp.example"] }).url);
    expect(find("known-container")["envs"]).toContain(
      "ALLOWED_HOSTS=gateway,x-known,gateway.net,x-known.net,llm.example.org,.corp.example",
    );
    await read(gateway("any-host", { allowedHosts: undefined }).url);
    expect(String(find("any-host-container")["envs"])).not.toContain("ALLOWED_HOSTS");
  });

  it("has an empty API_KEYS and no volume without keys", async () => {
    await read(gateway("open").url);
    expect(find("open-container")["envs"]).toContain("API_KEYS=");
    expect(find("open-container")["mounts"]).toEqual([]);
    expect(() => find("open-keys")).toThrow();
  });

  it("reads its keys from a volume that a command writes first, not from its environment", async () => {
    const { line } = newKey("ada", []);
    await read(
      gateway("keyed", { apiKeys: [line, "# bob has left"], replicas: 2, published: behindEdge }).url,
    );
    expect(find("keyed-keys-volume")).toMatchObject({ name: "x-keyed-keys" });
    for (const container of ["keyed-container", "keyed-2-container"]) {
      const { envs, mounts } = find(container);
      expect(envs).toContain("API_KEYS_FILE=/keys/api-keys");
      expect(JSON.stringify(envs)).not.toMatch(/API_KEYS=|sha256=/);
      expect(mounts).toEqual([{ type: "volume", source: "x-keyed-keys", target: "/keys", readOnly: true }]);
    }
    const command = find("keyed-keys");
    expect(command).toMatchObject({
      stdin: `${line}\n# bob has left\n`,
      environment: {
        KEYS_VOLUME: "x-keyed-keys",
        KEYS_FILE: "api-keys",
        KEYS_GATEWAYS: "x-keyed,x-keyed-2",
      },
    });
    const order = made.map(({ name }) => name);
    expect(order.indexOf("keyed-keys")).toBeLessThan(order.indexOf("keyed-container"));
  });

  it("runs as an unprivileged user", async () => {
    await read(gateway("user").url);
    expect(find("user-container")["user"]).toBe("65532:65532");
  });

  it("tags its image with a hash of its contents and its base image", async () => {
    const tags = [];
    for (const [name, baseImage] of [
      ["one", "node:24"],
      ["two", "node:24"],
    ] as const) {
      const image = await read(gateway(name, { baseImage, containerName: "same" }).imageName);
      tags.push(image);
    }
    expect(tags[0]).toMatch(/^same:[0-9a-f]{16}$/);
    // The mocks give the two bases different ids.
    expect(tags[0]).not.toBe(tags[1]);
    const again = await read(gateway("one", { containerName: "same" }).imageName);
    expect(again).toBe(tags[0]);
  });

  it("uses a build context path that is the same on every machine", async () => {
    await read(gateway("context").url);
    expect(find("context-image")["build"]).toMatchObject({ context: "gateway" });
  });
});

describe("ServiceNetwork", () => {
  it("is a bridge with the given name", async () => {
    await read(new ServiceNetwork("network", { networkName: "ollama_network" }).networkName);
    expect(find("network-bridge")).toMatchObject({ name: "ollama_network", driver: "bridge" });
  });
});

describe("components", () => {
  it("have the types of this project", async () => {
    await read(server("typed").url);
    await read(gateway("typed-gate").url);
    await read(new OllamaModel("typed-model", modelSettings).digest);
    await read(new ServiceNetwork("typed-network", { networkName: "typed" }).networkName);
    const types = new Set(made.map(({ type }) => type).filter((type) => type.startsWith("ollama-stack:")));
    expect([...types].sort()).toEqual([
      "ollama-stack:index:Gateway",
      "ollama-stack:index:OllamaModel",
      "ollama-stack:index:OllamaServer",
      "ollama-stack:index:ServiceNetwork",
    ]);
  });
});
