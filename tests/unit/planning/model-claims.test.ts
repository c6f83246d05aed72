import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { claimWarning, warnOfChangedClaims } from "../../../components/planning/cluster/model-claims.ts";

const statefulSet = (whenDeleted: string, storage = "50Gi") => ({
  spec: {
    persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled: "Retain" },
    volumeClaimTemplates: [{ spec: { storageClassName: "standard", resources: { requests: { storage } } } }],
  },
});
const kept =
  "The change of storageClass does not affect existing volumes, because the new pods reuse the claims models-ollama-N that retainModels keeps: docs/kubernetes.md explains how to change them.";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a change of the volumes of models in a cluster", () => {
  it("has no effect on volumes that retainModels keeps", () => {
    const change = { storageClass: "fast", modelStorageGiB: 50 };
    expect(claimWarning(statefulSet("Retain"), change)).toBe(kept);
  });

  it("deletes volumes without retainModels", () => {
    const change = { storageClass: "fast", modelStorageGiB: 60 };
    expect(claimWarning(statefulSet("Delete"), change)).toBe(
      "The change of storageClass and modelStorageGiB deletes the volumes of Ollama's pods, because retainModels is not in effect: each new pod pulls its models again.",
    );
  });

  it("is reported when the models move to the nodes' disks", () => {
    const change = { storageClass: "", modelStorageGiB: 50 };
    expect(claimWarning(statefulSet("Retain"), change)).toContain("leaves the claims models-ollama-N");
    expect(claimWarning(statefulSet("Delete"), change)).toContain("deletes the volumes of Ollama's pods");
    expect(claimWarning({ spec: { template: {} } }, change)).toBeUndefined();
  });

  it("is not reported for equal sizes, for a first update, and for models that are on the nodes' disks", () => {
    const same = { storageClass: "standard", modelStorageGiB: 2048 };
    expect(claimWarning(statefulSet("Retain", "2048Gi"), same)).toBeUndefined();
    expect(claimWarning(statefulSet("Retain", "2Ti"), same)).toBeUndefined();
    expect(claimWarning(undefined, same)).toBeUndefined();
    expect(claimWarning({ spec: { template: {} } }, same)).toBeUndefined();
  });

  it("is found in the stack's own state", async () => {
    const urn =
      "urn:pulumi:s::p::ollama-stack:kubernetes:OllamaPods$kubernetes:apps/v1:StatefulSet::ollama-pods";
    await pulumi.runtime.setMocks(
      {
        newResource: ({ name }) => ({ id: name, state: {} }),
        call: () => ({ outputs: { [urn]: { outputs: statefulSet("Retain") } } }),
      },
      "ollama-stack",
      "test",
      true,
      "organization",
    );
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    await warnOfChangedClaims({ storageClass: "fast", modelStorageGiB: 50 });
    expect(warn.mock.calls).toEqual([[kept]]);
  });
});
