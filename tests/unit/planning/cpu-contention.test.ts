import { describe, expect, it } from "vitest";
import { cpuContentionWarning } from "../../../components/planning/gpus/cpu-contention.ts";
import type { StackConfig } from "../../../components/config/keys.ts";

const model = (name: string, threads?: number) =>
  ({
    name,
    ...(threads === undefined ? {} : { parameters: { num_thread: threads } }),
  }) as StackConfig["models"][number];
const twoServers = { ollamaReplicas: 2, ollamaCpus: "", models: [model("tiny:1b"), model("big:7b", 4)] };
const [v1, v2] = [
  { NCPU: 8, CgroupVersion: "1" },
  { NCPU: 8, CgroupVersion: "2" },
];

describe("the warning about servers that share the cores of a host", () => {
  it("suggests the CPU limit, from which Ollama derives its threads", () => {
    expect(cpuContentionWarning(twoServers, v2)).toMatch(
      /^ollamaReplicas is 2, .* all 8 cores .* ollamaCpus 4$/,
    );
    expect(cpuContentionWarning({ ...twoServers, ollamaCpus: "6" }, v2)).toMatch(/ollamaCpus 4$/);
  });

  it("suggests a thread limit for the models that use all cores if Ollama does not see CPU limits", () => {
    expect(cpuContentionWarning(twoServers, v1)).toMatch(
      /parameters: \{num_thread: 4\} in models, for tiny:1b$/,
    );
    expect(cpuContentionWarning({ ...twoServers, ollamaCpus: "4" }, v1)).toMatch(/num_thread: 4/);
    expect(cpuContentionWarning({ ...twoServers, ollamaReplicas: 16 }, v1)).toMatch(
      /num_thread: 1\} in models, for tiny:1b, big:7b$/,
    );
  });

  it.each([
    ["there is only one server", { ...twoServers, ollamaReplicas: 1 }, v2],
    ["a CPU limit gives each server a share", { ...twoServers, ollamaCpus: "4.5" }, v2],
    ["the models limit their threads", { ...twoServers, models: [model("tiny:1b", 4)] }, v1],
  ])("is omitted if %s", (_why, servers, engine) => {
    expect(cpuContentionWarning(servers, engine)).toBeUndefined();
  });
});
