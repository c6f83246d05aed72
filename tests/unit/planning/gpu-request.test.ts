import { describe, expect, it } from "vitest";
import { planRequest } from "../../../components/planning/gpus/request.ts";

type EngineInfo = Parameters<typeof planRequest>[1];

// The output of docker info for several engines.
const bare: EngineInfo = { Runtimes: { runc: {} } };
const nvidia: EngineInfo = { Runtimes: { runc: {}, nvidia: {} } };
const cdi: EngineInfo = {
  Runtimes: { runc: {} },
  DiscoveredDevices: ["0", "1", "all"].map((id) => ({ Source: "cdi", ID: `nvidia.com/gpu=${id}` })),
};

const amd: EngineInfo = { DiscoveredDevices: [{ Source: "cdi", ID: "amd.com/gpu=all" }] };

describe("the request for GPUs", () => {
  it.each([
    ["all", nvidia, { driver: "nvidia", count: -1, capabilities: ["gpu"] }],
    ["auto", nvidia, { driver: "nvidia", count: -1, capabilities: ["gpu"] }],
    [["0", "1"], nvidia, { driver: "nvidia", deviceIds: ["0", "1"], capabilities: ["gpu"] }],
    ["all", cdi, { driver: "cdi", deviceIds: ["nvidia.com/gpu=all"] }],
    [["1"], cdi, { driver: "cdi", deviceIds: ["nvidia.com/gpu=1"] }],
    ["auto", bare, undefined],
    ["none", nvidia, undefined],
  ] as const)("for %s matches how the engine provides GPUs", (choice, engine, request) => {
    expect(planRequest(choice, engine)).toMatchObject({ request });
  });

  it.each([
    ["all", bare, /^gpus is all, but the engine offers no GPU: .*nvidia-ctk runtime configure/],
    [["0", "1"], bare, /^gpus is 0,1, but the engine offers no GPU/],
    ["all", amd, /offers no GPU/],
    [["1", "3"], cdi, /^gpus names 3, but the engine has only 0, 1, all/],
  ] as const)("for %s is rejected if the engine cannot provide the GPUs", (choice, engine, problem) => {
    const plan = planRequest(choice, engine);
    expect("problem" in plan ? plan.problem : "").toMatch(problem);
  });

  it.each([
    [nvidia, /^gpus is auto, .*Ollama gets all/],
    [bare, /^gpus is auto, .*Ollama runs on the CPU/],
  ])("has a note about the result of auto", (engine, note) => {
    expect(JSON.stringify(planRequest("auto", engine))).toMatch(
      new RegExp(note.source.replace("^", '"note":"')),
    );
  });
});
