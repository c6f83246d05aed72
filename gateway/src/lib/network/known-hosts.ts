import { isIP } from "node:net";

// Unlike host names, names of containers and networks may contain underscores.
const ENTRY = /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const HEADER = /^(?:\[([0-9a-f:.]+)(?:%[^\]]*)?\]|([^:[\]]+))(?::\d*)?$/;

/** Any host is known. */
const ANY_HOST = "*";

/**
 * Validates a host entry: `llm.example.org`, `.example.org` for the name and its subdomains, or `*` for any.
 *
 * @throws Error that quotes the invalid entry
 */
export function parseKnownHost(text: string): string {
  const name = text.toLowerCase();
  if (name === ANY_HOST || ENTRY.test(name)) return name;
  throw new Error(`'${text}' is not a host name`);
}

/** Hosts that a server responds to. IP addresses always are, as only names are subject to DNS rebinding. */
export class KnownHosts {
  readonly #names: ReadonlySet<string>;
  readonly #suffixes: readonly string[];
  readonly #any: boolean;

  /** @param entries as `parseKnownHost` returns them */
  constructor(entries: readonly string[]) {
    this.#any = entries.includes(ANY_HOST);
    this.#suffixes = entries.filter((entry) => entry.startsWith("."));
    this.#names = new Set(entries.map((entry) => entry.replace(/^\./, "")));
  }

  /** Whether a Host header, with or without port, names a known host. */
  has(header: string): boolean {
    if (this.#any) return true;
    const [, ipv6, text] = HEADER.exec(header.trim().toLowerCase()) ?? [];
    if (ipv6 !== undefined) return isIP(ipv6) === 6;
    if (text === undefined) return false;
    const name = text.replace(/\.$/, "");
    if (isAddress(name) || this.#names.has(name)) return true;
    return !name.startsWith(".") && this.#suffixes.some((suffix) => name.endsWith(suffix));
  }
}

/** IPv4 addresses in any form that is parsed as one, such as 127.1; no DNS name ends in a number. */
function isAddress(name: string): boolean {
  return /^\d+(\.\d+){0,3}$/.test(name);
}
