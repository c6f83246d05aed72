import { describe, expect, it } from "vitest";
import {
  compareContainer,
  type ContainerInputs,
  type InspectedContainer,
} from "../../../scripts/drift/container.ts";

const id = "1".repeat(64);
const mebibyte = 1024 * 1024;

const inputs: ContainerInputs = {
  name: "x-gateway",
  image: `sha256:${"a".repeat(64)}`,
  memory: 512,
  memorySwap: 512,
  cpuPeriod: 100_000,
  cpuQuota: 50_000,
  restart: "unless-stopped",
  networksAdvanced: [{ name: "net", aliases: ["gateway"] }],
};

/** The container that the engine creates from these inputs. */
const asDeployed: InspectedContainer = {
  Id: id,
  Name: "/x-gateway",
  Image: inputs.image,
  State: { Status: "running" },
  Config: { Hostname: id.slice(0, 12) },
  HostConfig: {
    Memory: 512 * mebibyte,
    MemorySwap: 512 * mebibyte,
    MemoryReservation: 0,
    NanoCpus: 0,
    CpuPeriod: 100_000,
    CpuQuota: 50_000,
    CpuShares: 0,
    CpusetCpus: "",
    BlkioWeight: 0,
    PidsLimit: 128,
    RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
  },
  NetworkSettings: { Networks: { net: { NetworkID: "n1", Aliases: ["gateway", id.slice(0, 12)] } } },
};

const compare = (actual: InspectedContainer, changed: Partial<ContainerInputs> = {}) =>
  compareContainer(
    {
      urn: "urn",
      resource: "gateway-container",
      id,
      inputs: { ...inputs, ...changed },
      networks: new Map([["net", "n1"]]),
    },
    actual,
  );
const withHost = (change: Partial<InspectedContainer["HostConfig"]>) => ({
  ...asDeployed,
  HostConfig: { ...asDeployed.HostConfig, ...change },
});
const withNetworks = (Networks: InspectedContainer["NetworkSettings"]["Networks"]) => ({
  ...asDeployed,
  NetworkSettings: { Networks },
});

describe("a container", () => {
  it("has no drift if it is as deployed", () => {
    expect(compare(asDeployed)).toEqual([]);
  });

  it.each<[string, InspectedContainer, string, string, unknown]>([
    ["state", { ...asDeployed, State: { Status: "exited" } }, "running", "exited", "refresh"],
    [
      "state",
      { ...asDeployed, State: { Status: "paused" } },
      "running",
      "paused",
      [["container", "unpause", "x-gateway"]],
    ],
    [
      "image",
      { ...asDeployed, Image: `sha256:${"b".repeat(64)}` },
      "aaaaaaaaaaaa",
      "bbbbbbbbbbbb",
      "replace",
    ],
    ["name", { ...asDeployed, Name: "/renamed" }, "x-gateway", "renamed", "refresh"],
    ["networks", withNetworks({}), "net (id n1, as gateway)", "none", "replace"],
    [
      "networks",
      withNetworks({
        net: { NetworkID: "n2", Aliases: ["gateway"] },
        bridge: { NetworkID: "b", Aliases: null },
      }),
      "net (id n1, as gateway)",
      "bridge, net (id n2, as gateway)",
      "replace",
    ],
    ["memory", withHost({ Memory: 0 }), "512 MiB", "unlimited", "refresh"],
    ["memory and swap", withHost({ MemorySwap: -1 }), "512 MiB", "unlimited", "refresh"],
    ["memory reservation", withHost({ MemoryReservation: mebibyte }), "unlimited", "1 MiB", "refresh"],
    ["CPUs", withHost({ CpuQuota: 0 }), "0.5", "all", "replace"],
    ["CPUs", withHost({ NanoCpus: 2e9 }), "0.5", "2", "replace"],
    ["CPU shares", withHost({ CpuShares: 2 }), "default", "2", "refresh"],
    ["CPU set", withHost({ CpusetCpus: "0" }), "all", "0", "refresh"],
    ["block I/O weight", withHost({ BlkioWeight: 10 }), "default", "10", "replace"],
    [
      "restart",
      withHost({ RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 } }),
      "unless-stopped",
      "on-failure, at most 3 times",
      "refresh",
    ],
  ])("shows a changed %s and its repair", (property, actual, expected, found, repair) => {
    const base = { urn: "urn", resource: "gateway-container" };
    expect(compare(actual)).toEqual([{ ...base, property, expected, actual: found, repair }]);
  });

  it("may have any swap limit if none was requested", () => {
    const { name, image } = inputs;
    const any = {
      urn: "urn",
      resource: "r",
      id,
      inputs: { name, image },
      networks: new Map<string, string>(),
    };
    const properties = compareContainer(any, withHost({ MemorySwap: 7 })).map(({ property }) => property);
    expect(properties).toContain("memory");
    expect(properties).not.toContain("memory and swap");
  });

  it("is removed if it was recreated by hand, whatever else differs", () => {
    const Id = "2".repeat(64);
    expect(compare({ ...withHost({ CpuShares: 2 }), Id })).toMatchObject([
      {
        property: "id",
        expected: "111111111111",
        actual: "222222222222: it was recreated by hand",
        repair: [["container", "rm", "--force", "x-gateway"]],
      },
      { property: "CPU shares", repair: [["container", "rm", "--force", "x-gateway"]] },
    ]);
  });
});
