import * as z from "zod";
import { KEY_LINE, requireKeys } from "../auth/api-keys.ts";
import { readKeyFile } from "../auth/key-file.ts";
import { parseAllowedOrigin } from "../lib/network/allowed-origins.ts";
import { parseKnownHost } from "../lib/network/known-hosts.ts";
import { parseProxies } from "../lib/network/trusted-proxies.ts";
import { type Definition, listed, parsed } from "./env-types.ts";

/** Variables for access control. */
export const accessVariables = {
  API_KEYS: {
    schema: parsed((text) => (text === "" ? [] : requireKeys(text))),
    allowed: `at least one key, or not set: ${KEY_LINE}`,
    default: "",
    hidden: true,
    blankIsSet: true,
    description:
      "API keys, by their SHA-256 digests. With neither this nor API_KEYS_FILE, every client is accepted; a value " +
      "without a key, such as a comment or a space, is refused.",
  },
  API_KEYS_FILE: {
    schema: parsed((path) => (path === "" ? undefined : readKeyFile(path))),
    allowed: `the path of a file with at least one key: ${KEY_LINE}`,
    default: "",
    blankIsSet: true,
    description:
      "File of API keys, one per line, in the format of API_KEYS. A change takes effect within two " +
      "seconds. If the file becomes invalid, the gateway logs that and keeps the previous keys.",
  },
  USAGE_FILE: {
    schema: z.string().regex(/^(\/.+)?$/),
    allowed: "the absolute path of a file, whose folder the gateway may write to",
    default: "",
    description:
      "File that keeps what each API key has used of its limits and budgets across restarts; written a second after " +
      "it changes. Each gateway needs its own. Empty keeps it in memory only.",
  },
  ADMIN_API: {
    schema: z.enum(["off", "on"]),
    allowed: "off or on",
    default: "on",
    description:
      "Whether the gateway has the admin API (`/admin/...`), which the console and `npm run status` use. Without keys, " +
      "every client sees all requests by it, without their text, and may cancel them.",
  },
  TRUSTED_PROXIES: {
    schema: parsed((list) => parseProxies(listed(list))),
    allowed: "addresses, networks such as 10.0.0.0/8 and host names, separated by commas",
    default: "",
    description:
      "Proxies whose X-Forwarded-For header names the client, for the log and for keys bound to networks. Host names " +
      "are resolved when needed. Empty: the client is the peer of the connection.",
  },
  ALLOWED_HOSTS: {
    schema: parsed((list) => listed(list).map(parseKnownHost)),
    allowed:
      "host names without scheme and port, separated by commas; `.example.org` stands for that name and all below " +
      "it, `*` for any",
    default: "",
    description:
      "Host names that requests may be for, besides localhost, IP addresses, host.docker.internal and the machine's own " +
      "name. Requests for others are rejected with 421, as a web page can have its own name resolve to this machine. " +
      "Empty: no others without keys, any with keys.",
  },
  ALLOWED_ORIGINS: {
    schema: parsed((list) => listed(list).map(parseAllowedOrigin)),
    allowed:
      "origins such as `https://chat.example.org`, separated by commas; a `*` in one stands for anything, as in " +
      "`https://*.example.org` or `chrome-extension://*`, and `*` alone for any origin",
    default: "",
    description:
      "Origins whose web pages may use the gateway, besides those of this machine (localhost) and of desktop " +
      "applications (app, file, tauri, vscode-webview, vscode-file). Writes from other origins are rejected with 403. " +
      "Without keys, `*` lets every page that a user opens use the models.",
  },
} satisfies Record<string, Definition<unknown>>;
