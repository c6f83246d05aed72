import { describe, expect, it } from "vitest";
import {
  decideToolSource,
  knownToolSource,
  likelyToolSource,
  type LazyProbes,
  type Probes,
} from "../../../scripts/setup/tool-source.ts";

const nothing: Probes = {
  forced: undefined,
  remembered: undefined,
  releasedInstalled: false,
  builtInstalled: false,
  siteFailure: "get.pulumi.com: getaddrinfo ENOTFOUND",
  packagesReachable: true,
  canBuild: true,
};

/** Probes with these results, and the names of those that were run. */
function probesWith(values: Partial<Probes>): { readonly probes: LazyProbes; readonly probed: string[] } {
  const all = { ...nothing, ...values };
  const probed: string[] = [];
  const probe = <K extends keyof Probes>(key: K) => [
    key,
    () => {
      probed.push(key);
      return all[key];
    },
  ];
  const probes = Object.fromEntries(
    (Object.keys(all) as (keyof Probes)[]).map(probe),
  ) as unknown as LazyProbes;
  return { probes, probed };
}

function decide(values: Partial<Probes>) {
  const { probes, probed } = probesWith(values);
  return { decision: decideToolSource(probes), probed };
}

describe("the decision between released and built tools", () => {
  it("permanently chooses released tools if Pulumi's downloads are reachable", async () => {
    const { decision } = decide({ siteFailure: undefined });
    expect(await decision).toMatchObject({ toolSource: "released", lasting: true });
  });

  it("chooses installed released tools without using the network, so that destroy works offline", async () => {
    const { decision, probed } = decide({ releasedInstalled: true });
    expect(await decision).toMatchObject({ toolSource: "released", lasting: true });
    expect(probed).toEqual(["forced", "remembered", "releasedInstalled"]);
  });

  it("chooses installed built tools if nothing is reachable, so that destroy works offline", async () => {
    const { decision } = decide({ builtInstalled: true, packagesReachable: false });
    expect(await decision).toMatchObject({ toolSource: "built" });
  });

  it("builds if only packages are reachable, with the reason, and does not persist the decision", async () => {
    const { decision } = decide({});
    expect(await decision).toEqual({
      toolSource: "built",
      reason: "Pulumi's downloads cannot be reached: get.pulumi.com: getaddrinfo ENOTFOUND",
      lasting: false,
    });
  });

  it("keeps an earlier run's decision without using the network", async () => {
    const { decision, probed } = decide({ remembered: "built" });
    expect(await decision).toMatchObject({ toolSource: "built", reason: "as before" });
    expect(probed).toEqual(["forced", "remembered"]);
  });

  it("follows --tools for this run without using the network", async () => {
    const { decision, probed } = decide({ forced: "released", remembered: "built" });
    expect(await decision).toMatchObject({ toolSource: "released", lasting: false });
    expect(probed).toEqual(["forced"]);
  });

  it("rejects an unknown source, and names it and the allowed values", async () => {
    await expect(decide({ forced: "mixed" }).decision).rejects.toThrow(/"released" or "built".*"mixed"/);
  });

  it("names the required machine if nothing can be built", async () => {
    await expect(decide({ canBuild: false }).decision).rejects.toThrow(
      /cannot be reached: get\.pulumi\.com.*Debian x64 as root/,
    );
    await expect(decide({ canBuild: false, forced: "built" }).decision).rejects.toThrow(/Debian x64 as root/);
  });

  it("reports a missing network in one line", async () => {
    const { decision } = decide({ packagesReachable: false });
    await expect(decision).rejects.toThrow(/^no network: [^\n]*connect[^\n]* run it again$/);
  });
});

describe("the source that a command without a set-up expects", () => {
  it.each([
    [{ forced: "built", remembered: "released" }, "built", ["forced"]],
    [{ remembered: "released", builtInstalled: true }, "released", ["forced", "remembered"]],
    [{ releasedInstalled: true }, "released", ["forced", "remembered", "releasedInstalled"]],
    // An earlier run's decision to build expires after a day.
    [{ builtInstalled: true }, "built", ["forced", "remembered", "releasedInstalled", "builtInstalled"]],
    [{}, undefined, ["forced", "remembered", "releasedInstalled", "builtInstalled"]],
  ] as const)("follows from %j without using the network", async (values, source, order) => {
    const { probes, probed } = probesWith(values);
    expect(await likelyToolSource(probes)).toBe(source);
    expect(probed).toEqual(order);
  });

  it("is rejected if it is unknown, by the set-up too", async () => {
    const { probes } = probesWith({ forced: "mixed" });
    await expect(likelyToolSource(probes)).rejects.toThrow(/"released" or "built".*"mixed"/);
    await expect(knownToolSource(probes)).rejects.toThrow(/"released" or "built".*"mixed"/);
  });
});
