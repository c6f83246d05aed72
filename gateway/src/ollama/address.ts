/** Where one Ollama server is, and how many requests it runs at once when that is told. */
export interface BackendAddress {
  readonly host: string;
  readonly port: number;
  readonly slots?: number;
}

const WRITTEN = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})(?:\*(\d{1,4}))?$/;

/** Reads `host:port` or `host:port*slots`, an IPv6 host in brackets. @throws Error that quotes what is wrong */
export function parseBackendAddress(written: string): BackendAddress {
  const [, ipv6, name, portText, slotsText] = WRITTEN.exec(written) ?? [];
  const port = Number(portText);
  const slots = slotsText === undefined ? {} : { slots: Number(slotsText) };
  if (!(port >= 1 && port <= 65_535) || slots.slots === 0) throw new Error(`'${written}' is not an address`);
  return { host: ipv6 ?? name ?? "", port, ...slots };
}
