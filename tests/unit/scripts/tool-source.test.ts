import { describe, expect, it } from "vitest";
import { decideWorld, type LazyProbes, type Probes } from "../../../scripts/setup/tool-source.ts";

const nothing: Probes = {
  forced: undefined,
  remembered: undefined,
  releasedInstalled: false,
  builtInstalled: false,
  siteFailure: "get.pulumi.com: getaddrinfo ENOTFOUND",
  packagesReachable: true,
  canBuild: true,
};

function decide(found: Partial<Probes>): { decision: ReturnType<typeof decideWorld>; asked: string[] } {
  const all = { ...nothing, ...found };
  const asked: string[] = [];
  const probe = <K extends keyof Probes>(key: K) => [
    key,
    () => {
      asked.push(key);
      return all[key];
    },
  ];
  const probes = Object.fromEntries(
    (Object.keys(all) as (keyof Probes)[]).map(probe),
  ) as unknown as LazyProbes;
  return { decision: decideWorld(probes), asked };
}

describe("the decision between released and built tools", () => {
  it("takes the released ones where Pulumi's downloads are reached, for good", async () => {
    const { decision } = decide({ siteFailure: undefined });
    expect(await decision).toMatchObject({ world: "released", lasting: true });
  });

  it("takes released tools that are installed without asking the network: a stack is taken down offline", async () => {
    const { decision, asked } = decide({ releasedInstalled: true });
    expect(await decision).toMatchObject({ world: "released", lasting: true });
    expect(asked).toEqual(["forced", "remembered", "releasedInstalled"]);
  });

  it("takes built tools that are installed where nothing can be reached: a stack is taken down offline", async () => {
    const { decision } = decide({ builtInstalled: true, packagesReachable: false });
    expect(await decision).toMatchObject({ world: "built" });
  });

  it("builds where only packages are reached, says why, and does not keep what follows from a failure", async () => {
    const { decision } = decide({});
    expect(await decision).toEqual({
      world: "built",
      reason: "Pulumi's downloads cannot be reached: get.pulumi.com: getaddrinfo ENOTFOUND",
      lasting: false,
    });
  });

  it("stays with what an earlier run found out, without asking the network", async () => {
    const { decision, asked } = decide({ remembered: "built" });
    expect(await decision).toMatchObject({ world: "built", reason: "as before" });
    expect(asked).toEqual(["forced", "remembered"]);
  });

  it("does what --tools says, without asking the network, for this run", async () => {
    const { decision, asked } = decide({ forced: "released", remembered: "built" });
    expect(await decision).toMatchObject({ world: "released", lasting: false });
    expect(asked).toEqual(["forced"]);
  });

  it("refuses a source that there is not, naming the value and what is allowed", async () => {
    await expect(decide({ forced: "mixed" }).decision).rejects.toThrow(/"released" or "built".*"mixed"/);
  });

  it("says what machine is needed where nothing can be built", async () => {
    await expect(decide({ canBuild: false }).decision).rejects.toThrow(
      /cannot be reached: get\.pulumi\.com.*Debian x64 as root/,
    );
    await expect(decide({ canBuild: false, forced: "built" }).decision).rejects.toThrow(/Debian x64 as root/);
  });

  it("says that there is no network in one line", async () => {
    const { decision } = decide({ packagesReachable: false });
    await expect(decision).rejects.toThrow(/^no network: [^\n]*connect[^\n]* run it again$/);
  });
});
