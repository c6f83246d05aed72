import * as z from "zod";
import { deadline, type Definition, parsed, SECOND } from "./env-types.ts";

/** Variables for state shared by several gateways. */
export const stateVariables = {
  SHARED_STATE: {
    schema: parsed(parseStateUrl),
    allowed: "`memory`, or a URL such as redis://valkey:6379 or rediss://valkey:6379/1, without a password",
    default: "memory",
    description:
      "Valkey or Redis server (7.0 or newer, not a cluster) in which the gateways of a stack share the slots of the " +
      "Ollama servers, the limits of keys and stored responses. `memory`: this gateway is alone.",
  },
  SHARED_STATE_PASSWORD_FILE: {
    schema: z.string().regex(/^(\/.+)?$/),
    allowed: "the absolute path of a file",
    default: "",
    description:
      "File with the password of that server, read again for each connection. Empty: it needs none.",
  },
  SHARED_STATE_PREFIX: {
    schema: z.string().regex(/^[\w.:-]{1,64}$/),
    allowed: "1 to 64 letters, digits, `_`, `.`, `:` and `-`",
    default: "ollama-stack",
    description:
      "Prefix of all keys and channels in that server: the same for the gateways of a stack, different for each stack.",
  },
  SHARED_STATE_TIMEOUT_MS: deadline({
    default: "250",
    description:
      "Timeout of commands to that server, and so the maximum delay of a request. After a timeout, the gateway uses its " +
      "own share of slots and limits until the server is reachable again. Commands for stored responses have at least " +
      "2 s, and do not count.",
  }),
  SHARED_STATE_LEASE_MS: deadline({
    default: `${10 * SECOND}`,
    description:
      "How long the slots and requests of a killed gateway still count. A gateway sends five heartbeats in this time.",
  }),
} satisfies Record<string, Definition<unknown>>;

function parseStateUrl(text: string): string {
  if (text === "memory") return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "") {
    throw new Error("it is neither `memory` nor a URL of Redis");
  }
  if (url.password !== "") throw new Error("a password belongs in SHARED_STATE_PASSWORD_FILE");
  if (!/^\/?\d{0,4}$/.test(url.pathname) || url.search !== "" || url.hash !== "") {
    throw new Error("its path can only be the number of a database");
  }
  return text;
}
