/** Allows any origin. */
const ANY_ORIGIN = "*";

// Pages on this machine and desktop applications, which Ollama allows by default.
const LOOPBACK =
  /^https?:\/\/(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1\])(?::\d+)?$/;
const APPLICATION = /^(?:app|file|tauri|vscode-webview|vscode-file):\/\//;

// Scheme, host and port, with at most one `*`.
const ENTRY = /^[a-z][a-z0-9+.-]*:\/\/(?=.)[^\s/*]*\*?[^\s/*]*$/;

/**
 * Validates an origin: `https://chat.example.org`, `https://*.example.org`, `chrome-extension://*`, or `*` for any.
 *
 * @throws Error that quotes the invalid entry
 */
export function parseAllowedOrigin(text: string): string {
  const origin = text.toLowerCase().replace(/\/$/, "");
  if (origin === ANY_ORIGIN || ENTRY.test(origin)) return origin;
  throw new Error(`'${text}' is not an origin`);
}

/** Whether a page of this origin was served by the host of the request. */
export function isSameOrigin(origin: string, host: string | undefined): boolean {
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

/** Origins whose pages may send requests. */
export class AllowedOrigins {
  readonly #origins: ReadonlySet<string>;
  /** Prefix and suffix around the `*`. */
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
