import { expect, it } from "vitest";
import { readDemand } from "../../../scripts/doctor/cluster.ts";
import { projectDefaults } from "../../../scripts/stack/stack-file.ts";

const demandWith = (set: Readonly<Record<string, unknown>>) => {
  const values = { ...projectDefaults(), ...set };
  return readDemand((key) => values[key], "llm");
};

it("npm run doctor checks a cluster for what an update needs, such as GPUs with their taint and optional kinds", () => {
  const demand = demandWith({
    gpus: "all",
    gpusPerPod: "2",
    tolerations: '[{"key": "team", "operator": "Exists"}]',
    autoscaling: "keda",
    ollamaMinReplicas: 2,
    podMonitor: true,
  });
  expect(demand).toMatchObject({
    namespace: "llm",
    replicas: 2,
    gpuRequest: { resource: "nvidia.com/gpu", count: 2 },
    tolerations: [
      { key: "team", operator: "Exists" },
      { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
    ],
  });
  expect(demand?.optional.map(({ kind }) => kind)).toEqual([
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
  ]);
});

it("npm run doctor does not fail if the config has an invalid value", () => {
  expect(demandWith({ tolerations: "[" })).toBeUndefined();
  expect(demandWith({ ollamaReplicas: "many" })).toBeUndefined();
});
