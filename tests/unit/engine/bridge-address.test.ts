import { expect, it } from "vitest";
import { bridgeAddress } from "../../../engine/bridge-address.ts";

it.each([
  ["the gateway of the bridge", [{ Subnet: "172.17.0.0/16", Gateway: "172.17.0.9" }], "172.17.0.9"],
  ["the first address of the subnet if no gateway is reported", [{ Subnet: "172.17.0.0/16" }], "172.17.0.1"],
  ["the same if the gateway is empty", [{ Subnet: "172.17.0.0/16", Gateway: "" }], "172.17.0.1"],
  [
    "the address of IPv4 on a bridge with IPv6",
    [{ Subnet: "fd00::/64" }, { Subnet: "172.18.0.0/16" }],
    "172.18.0.1",
  ],
  ["undefined without address ranges", null, undefined],
])("is %s", (_what, Config, address) => {
  expect(bridgeAddress({ IPAM: { Config } })).toBe(address);
});

it("is undefined without a bridge", () => {
  expect(bridgeAddress(undefined)).toBeUndefined();
});
