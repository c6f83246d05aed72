import { expect, it } from "vitest";
import { readDemand } from "../../../scripts/doctor/cluster.ts";
import { projectDefaults } from "../../../scripts/stack/stack-file.ts";

const demandWith = (set: Readonly<Record<string, unknown>>) => {
  const values = { ...projectDefaults(), ...set };
  return readDemand((key) => values[key], "llm");
};

it("npm run doctor requires of a cluster what an update does: GPUs with their taint, and what the config adds", () => {
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

it("npm run doctor does not fail by a config with a wrong value", () => {
  expect(demandWith({ tolerations: "[" })).toBeUndefined();
  expect(demandWith({ ollamaReplicas: "many" })).toBeUndefined();
});
