import { describe, expect, it } from "vitest";
import { cpuContentionWarning } from "../../../components/planning/gpus/cpu-contention.ts";
import type { StackConfig } from "../../../components/config/keys.ts";

const model = (name: string, threads?: number) =>
  ({
    name,
    ...(threads === undefined ? {} : { parameters: { num_thread: threads } }),
  }) as StackConfig["models"][number];
const two = { ollamaReplicas: 2, ollamaCpus: "", models: [model("tiny:1b"), model("big:7b", 4)] };
const [v1, v2] = [
  { NCPU: 8, CgroupVersion: "1" },
  { NCPU: 8, CgroupVersion: "2" },
];

describe("servers that share the cores of a host", () => {
  it("are warned of, with the limit that Ollama takes its threads from", () => {
    expect(cpuContentionWarning(two, v2)).toMatch(/^ollamaReplicas is 2, .* all 8 cores .* ollamaCpus 4$/);
    expect(cpuContentionWarning({ ...two, ollamaCpus: "6" }, v2)).toMatch(/ollamaCpus 4$/);
  });

  it("are warned of by the models that take all, where Ollama does not see limits", () => {
    expect(cpuContentionWarning(two, v1)).toMatch(/parameters: \{num_thread: 4\} in models, for tiny:1b$/);
    expect(cpuContentionWarning({ ...two, ollamaCpus: "4" }, v1)).toMatch(/num_thread: 4/);
    expect(cpuContentionWarning({ ...two, ollamaReplicas: 16 }, v1)).toMatch(
      /num_thread: 1\} in models, for tiny:1b, big:7b$/,
    );
  });

  it.each([
    ["is only one", { ...two, ollamaReplicas: 1 }, v2],
    ["have a share each by their limit", { ...two, ollamaCpus: "4.5" }, v2],
    ["have a share each by their models", { ...two, models: [model("tiny:1b", 4)] }, v1],
  ])("are left alone when there %s", (_why, servers, engine) => {
    expect(cpuContentionWarning(servers, engine)).toBeUndefined();
  });
});
