import { BlockList, isIP } from "node:net";

/** Whether it is an address, or a network in CIDR notation. */
export function isNetwork(text: string): boolean {
  const [, address = "", prefix] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(prefix ?? 0) <= (version === 4 ? 32 : 128);
}

/** Builds a BlockList from addresses and networks, as `isNetwork` accepts them. */
export function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    if (prefix === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

/** Whether a list contains an address, as `plainAddress` returns it. False for text that is not an address. */
export function contains(list: BlockList, address: string): boolean {
  return isIP(address) !== 0 && list.check(address, familyOf(address));
}

/** Removes the prefix of IPv4-mapped addresses ("::ffff:10.0.0.1") and zones ("fe80::1%eth0"). */
export function plainAddress(address: string): string {
  return address.includes(":") ? address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "") : address;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 4 ? "ipv4" : "ipv6";
}
