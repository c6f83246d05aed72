/** Any origin is allowed. */
export const ANY_ORIGIN = "*";

// Pages on this machine, and desktop applications: Ollama allows them without being configured to.
const LOOPBACK =
  /^https?:\/\/(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1\])(?::\d+)?$/;
const APPLICATION = /^(?:app|file|tauri|vscode-webview|vscode-file):\/\//;

// A scheme, a host, a port; one `*` stands for any part of it.
const ENTRY = /^[a-z][a-z0-9+.-]*:\/\/(?=.)[^\s/*]*\*?[^\s/*]*$/;

/**
 * Reads an origin: `https://chat.example.org`, `https://*.example.org`, `chrome-extension://*`, or `*` for any.
 *
 * @throws Error that quotes what is wrong
 */
export function parseAllowedOrigin(written: string): string {
  const origin = written.toLowerCase().replace(/\/$/, "");
  if (origin === ANY_ORIGIN || ENTRY.test(origin)) return origin;
  throw new Error(`'${written}' is not an origin`);
}

/** Whether a page of this origin came from the host that its request is for. */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

/** The origins whose pages may send requests. */
export class AllowedOrigins {
  readonly #origins: ReadonlySet<string>;
  /** What comes before and behind the `*`. */
  readonly #patterns: readonly (readonly [string, string])[];
  readonly isAny: boolean;

  /** @param entries as `parseAllowedOrigin` returns them */
  constructor(entries: readonly string[]) {
    this.isAny = entries.includes(ANY_ORIGIN);
    this.#origins = new Set(entries);
    this.#patterns = entries.flatMap((entry) => {
      const star = entry.indexOf("*");
      return star === -1 ? [] : [[entry.slice(0, star), entry.slice(star + 1)] as const];
    });
  }

  has(origin: string): boolean {
    return (
      this.isAny ||
      this.#origins.has(origin) ||
      LOOPBACK.test(origin) ||
      APPLICATION.test(origin) ||
      this.#patterns.some(
        ([start, end]) =>
          origin.length >= start.length + end.length && origin.startsWith(start) && origin.endsWith(end),
      )
    );
  }
}
