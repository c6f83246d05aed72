import { describe, expect, it } from "vitest";
import { bridgeAddress } from "../../../components/planning/models/registry-hosts.ts";

describe("the address of host-gateway", () => {
  it.each([
    ["is the gateway of the default bridge", "172.18.0.1,172.18.0.0/16 ", "172.18.0.1"],
    [
      "is the first address of the subnet on an engine that was never restarted",
      ",172.17.0.0/16 ",
      "172.17.0.1",
    ],
    ["is undefined without a bridge", "", undefined],
  ])("%s", (_what, text, address) => {
    expect(bridgeAddress(text)).toBe(address);
  });
});
