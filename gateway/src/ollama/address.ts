import { isIP } from "node:net";

/** Address of an Ollama server, and its number of concurrent requests if configured. */
export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  readonly slots?: number;
  /** Each address of the host name is a server of its own. */
  readonly everyAddress?: true;
}

const ADDRESS = /^(dns\+)?(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})(?:\*(\d{1,4}))?$/;

/**
 * Parses `host:port` or `host:port*slots`, with IPv6 hosts in brackets. The prefix `dns+` stands for every address of a
 * host name.
 *
 * @throws Error that quotes the invalid address
 */
export function parseBackendAddress(text: string): BackendAddress {
  const [, discovered, ipv6, hostname, portText, slotsText] = ADDRESS.exec(text) ?? [];
  const port = Number(portText);
  const slots = slotsText === undefined ? {} : { slots: Number(slotsText) };
  if (!(port >= 1 && port <= 65_535) || slots.slots === 0) throw new Error(`'${text}' is not an address`);
  const host = ipv6 ?? hostname ?? "";
  if (discovered === undefined) return { host, port, ...slots };
  if (isIP(host) !== 0) throw new Error(`'${text}' has an address where 'dns+' needs a name`);
  return { host, port, ...slots, everyAddress: true };
}

/** Formats an address as in the configuration, without the slots. */
export function formatBackendAddress({ host, port, everyAddress }: BackendAddress): string {
  return `${everyAddress === true ? "dns+" : ""}${host}:${port}`;
}
