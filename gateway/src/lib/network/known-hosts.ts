import { isIP } from "node:net";

// Names of containers and networks may have what host names may not.
const ENTRY = /^\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const HEADER = /^(?:\[([0-9a-f:.]+)(?:%[^\]]*)?\]|([^:[\]]+))(?::\d*)?$/;

/** Any host is known. */
export const ANY_HOST = "*";

/**
 * Reads a name by which a server is known: `llm.example.org`, `.example.org` for that name and all below it, or `*` for
 * any.
 *
 * @throws Error that quotes what is wrong
 */
export function parseKnownHost(written: string): string {
  const name = written.toLowerCase();
  if (name === ANY_HOST || ENTRY.test(name)) return name;
  throw new Error(`'${written}' is not a host name`);
}

/**
 * The hosts that a server answers for. Addresses are always among them, for a page cannot have another address than the
 * one it was loaded from; a name leads wherever its owner says, at any time (DNS rebinding).
 */
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

  /** Whether a Host header, port and all, names one of them. */
  has(header: string): boolean {
    if (this.#any) return true;
    const [, ipv6, written] = HEADER.exec(header.trim().toLowerCase()) ?? [];
    if (ipv6 !== undefined) return isIP(ipv6) === 6;
    if (written === undefined) return false;
    const name = written.replace(/\.$/, "");
    if (isAddress(name) || this.#names.has(name)) return true;
    return !name.startsWith(".") && this.#suffixes.some((suffix) => name.endsWith(suffix));
  }
}

/** An IPv4 address in any form that is read as one, such as 127.1; no name in the DNS ends in a number. */
function isAddress(name: string): boolean {
  return /^\d+(\.\d+){0,3}$/.test(name);
}
