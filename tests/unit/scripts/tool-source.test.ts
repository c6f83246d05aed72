import { describe, expect, it } from "vitest";
import { type Asked, decideWorld, type Probes } from "../../../scripts/setup/tool-source.ts";

const nothing: Probes = {
  forced: undefined,
  remembered: undefined,
  releasedInstalled: false,
  siteReachable: false,
  imagesReachable: false,
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
  const probes = Object.fromEntries((Object.keys(all) as (keyof Probes)[]).map(probe)) as unknown as Asked;
  return { decision: decideWorld(probes), asked };
}

describe("the decision between released and built tools", () => {
  it("takes the released ones where downloads and images are reached", async () => {
    const { decision } = decide({ siteReachable: true, imagesReachable: true });
    expect(await decision).toMatchObject({ world: "released" });
  });

  it("takes released tools that are already there when only the images are reached", async () => {
    const { decision } = decide({ imagesReachable: true, releasedInstalled: true });
    expect(await decision).toMatchObject({ world: "released" });
  });

  it("builds where only packages are reached, and names what is missing", async () => {
    const { decision } = decide({});
    expect(await decision).toEqual({
      world: "built",
      reason: "Pulumi's download site and the image registry cannot be reached",
    });
  });

  it("builds where images cannot be pulled, whatever else is reached", async () => {
    const { decision } = decide({ siteReachable: true });
    expect(await decision).toEqual({ world: "built", reason: "the image registry cannot be reached" });
  });

  it("stays with what an earlier run found out, without asking the network", async () => {
    const { decision, asked } = decide({ remembered: { world: "built", reason: "as before" } });
    expect(await decision).toEqual({ world: "built", reason: "as before" });
    expect(asked).toEqual(["forced", "remembered"]);
  });

  it("does as it is told, without asking the network", async () => {
    const { decision, asked } = decide({ forced: "released", remembered: { world: "built", reason: "" } });
    expect(await decision).toEqual({ world: "released", reason: "asked for" });
    expect(asked).toEqual(["forced"]);
  });

  it("refuses a world that there is not, naming the value and what is allowed", async () => {
    await expect(decide({ forced: "mixed" }).decision).rejects.toThrow(/"mixed".*released or built/);
  });

  it("says what machine is needed where nothing can be built", async () => {
    await expect(decide({ canBuild: false }).decision).rejects.toThrow(
      /cannot be reached, and .*Debian x64 as root/,
    );
    await expect(decide({ canBuild: false, forced: "built" }).decision).rejects.toThrow(/Debian x64 as root/);
  });

  it("says that there is no network in one line", async () => {
    const { decision } = decide({ packagesReachable: false });
    await expect(decision).rejects.toThrow(/^no network: [^\n]*connect and run it again$/);
  });
});
