import { isIP } from "node:net";

/** Where one Ollama server is, and how many requests it runs at once where that is configured. */
export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  readonly slots?: number;
  /** The host is a name, and each of its addresses a server. */
  readonly everyAddress?: true;
}

const WRITTEN = /^(dns\+)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})(?:\*(\d{1,4}))?$/;

/**
 * Reads `host:port` or `host:port*slots`, an IPv6 host in brackets, or either after `dns+` for every address of a name.
 *
 * @throws Error that quotes what is wrong
 */
export function parseBackendAddress(written: string): BackendAddress {
  const [, discovered, ipv6, name, portText, slotsText] = WRITTEN.exec(written) ?? [];
  const port = Number(portText);
  const slots = slotsText === undefined ? {} : { slots: Number(slotsText) };
  if (!(port >= 1 && port <= 65_535) || slots.slots === 0) throw new Error(`'${written}' is not an address`);
  const host = ipv6 ?? name ?? "";
  if (discovered === undefined) return { host, port, ...slots };
  if (isIP(host) !== 0) throw new Error(`'${written}' has an address where 'dns+' needs a name`);
  return { host, port, ...slots, everyAddress: true };
}

/** As the configuration has it, without the slots. */
export function writeBackendAddress({ host, port, everyAddress }: BackendAddress): string {
  return `${everyAddress === true ? "dns+" : ""}${host}:${port}`;
}
