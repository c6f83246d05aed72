import { describe, expect, it } from "vitest";
import { comparePods, type PodRecords } from "../../../components/planning/cluster/pod-models.ts";
import type { SourceState } from "../../../components/planning/models/registry-client.ts";

const digest = "e93533fa695dbe1eb2b0da0f6cad1c7431dadabdf47d5fb514f272d335b4b638";
const other = "0".repeat(64);
const record = (name: string, more: object = {}) => ({
  name,
  digest,
  size: 98_364_299,
  source: name,
  sourceDigest: digest,
  changes: "",
  retain: false,
  ...more,
});
const inRegistry: SourceState = { digest, layers: [{ digest: "sha256:1", size: 98_364_299 }] };
const registry = (state: SourceState = inRegistry) => ({ resolve: () => Promise.resolve(state) });
const pod = (n: number, ...records: readonly ReturnType<typeof record>[]): PodRecords => ({
  pod: `ollama-${String(n)}`,
  records,
});
const models = [{ name: "tiny:1b" }];

describe("a preview of the models of pods", () => {
  it("lists the pods that pull a model, with size and digest", async () => {
    expect(await comparePods({ models }, [pod(0), pod(1)], registry())).toEqual({
      problems: [],
      warnings: [],
      lines: ["Model tiny:1b: it will be pulled in ollama-0 and ollama-1, 98.4 MB each, digest e93533fa695d"],
      present: [],
    });
  });

  it("lists the pods that have a model already", async () => {
    const plan = await comparePods({ models }, [pod(0, record("tiny:1b")), pod(1)], registry());
    expect(plan.lines).toEqual([
      "Model tiny:1b: it will be pulled in ollama-1, 98.4 MB, digest e93533fa695d",
    ]);
    expect(plan.present).toEqual(["Model tiny:1b is installed in ollama-0, 98.4 MB, digest e93533fa695d"]);
  });

  it("lists the pods that delete or retain an unlisted model", async () => {
    const old = [record("old:1b"), record("kept:1b", { retain: true })];
    const plan = await comparePods({ models: [] }, [pod(0, ...old), pod(1, ...old)], registry());
    expect(plan.lines).toEqual([
      "The model old:1b will be deleted in ollama-0 and ollama-1, 98.4 MB, digest e93533fa695d",
      "The model kept:1b stays, although the stack no longer lists it, in ollama-0 and ollama-1, 98.4 MB, digest e93533fa695d",
    ]);
  });

  it("warns that a tag moved, with the command that updates the model", async () => {
    const moved = { digest: other, layers: [] };
    const plan = await comparePods({ models }, [pod(0, record("tiny:1b"))], registry(moved));
    expect(plan.lines).toEqual([]);
    expect(plan.warnings).toEqual([
      "Model tiny:1b: its tag moved in the registry, from e93533fa695d to 000000000000. The installed version stays; to update it: npm run pin -- --stack NAME, which sets its digest",
    ]);
  });

  it("prints that a model may be installed if the records of a pod are unknown", async () => {
    const plan = await comparePods({ models }, [{ pod: "ollama-0", records: undefined }], registry());
    expect(plan.lines).toEqual([
      "Model tiny:1b: it will be pulled in ollama-0, 98.4 MB, digest e93533fa695d, unless already installed",
    ]);
  });

  it("prints that a registry does not respond", async () => {
    const unreachable = { unreachable: "no registry responds at r (ECONNREFUSED)" };
    const plan = await comparePods({ models }, [pod(0)], registry(unreachable));
    expect(plan.problems).toEqual([]);
    expect(plan.lines).toEqual([
      "Model tiny:1b: it will be pulled in ollama-0, size unknown: no registry responds at r (ECONNREFUSED)",
    ]);
  });
});

describe("an update is rejected", () => {
  it("once for a model that its registry does not have, whatever the number of pods", async () => {
    const notFound = { notFound: "the registry does not have the model tiny:1b" };
    const plan = await comparePods({ models }, [pod(0), pod(1)], registry(notFound));
    expect(plan.problems).toEqual([
      "Model tiny:1b: the registry does not have the model tiny:1b. Check its name and tag: pulumi config get models",
    ]);
  });

  it("for a model whose pinned digest its registry does not have", async () => {
    const plan = await comparePods({ models: [{ name: "tiny:1b", digest: other }] }, [pod(0)], registry());
    expect(plan.problems[0]).toContain(
      `Model tiny:1b: its digest must be ${other}, but tiny:1b has ${digest}`,
    );
  });
});
