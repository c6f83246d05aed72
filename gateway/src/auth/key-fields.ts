import { BlockList, isIP } from "node:net";
import { canonicalModelName } from "../ollama/model-name.ts";
import { isRoutePattern, ROUTE_GROUPS } from "./route-groups.ts";

/** What a key's line says besides its name and digest. Plain data: it is compared to notice changes. */
export interface KeyFields {
  /** Milliseconds since 1970 from which on the key is refused; undefined means never. */
  readonly expiresAt?: number;
  /** Refused until the line says otherwise. */
  readonly disabled: boolean;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** Tokens in a calendar day, UTC. */
  readonly tokensPerDay?: number;
  /** Tokens in a calendar month, UTC. */
  readonly tokensPerMonth?: number;
  /** Requests that may be served or wait at once. */
  readonly concurrent?: number;
  /** Models in their one spelling; undefined means all. */
  readonly models?: ReadonlySet<string>;
  /** Route patterns and names of route groups; undefined means all. */
  readonly routes?: readonly string[];
  /** Networks in CIDR notation that clients may use the key from; undefined means all. */
  readonly from?: readonly string[];
  /** May use the routes that change the server. */
  readonly admin: boolean;
  /** May send runner options, and contexts that make Ollama load a model again. */
  readonly options: boolean;
}

interface Field {
  /** How a line has it, for messages. */
  readonly form: string;
  /** To be read after "must be". */
  readonly allowed: string;
  /** True: it is a name alone. */
  readonly flag?: true;
  /** Undefined: the value is not allowed. */
  readonly read: (value: string) => Partial<KeyFields> | undefined;
}

const DAY = 24 * 60 * 60 * 1000;

const fields: Readonly<Record<string, Field>> = {
  expires: {
    form: "expires=DATE",
    allowed: "a date such as 2027-01-31 or a time such as 2027-01-31T12:00:00Z",
    read: (value) => {
      const expiresAt = expiryOf(value);
      return expiresAt === undefined ? undefined : { expiresAt };
    },
  },
  requests: count("requests", (requestsPerMinute) => ({ requestsPerMinute })),
  tokens: count("tokens", (tokensPerMinute) => ({ tokensPerMinute })),
  tokens_per_day: count("tokens_per_day", (tokensPerDay) => ({ tokensPerDay })),
  tokens_per_month: count("tokens_per_month", (tokensPerMonth) => ({ tokensPerMonth })),
  concurrent: count("concurrent", (concurrent) => ({ concurrent })),
  models: {
    form: "models=A,B",
    allowed: "names of models, separated by commas",
    read: (value) =>
      value === "" ? undefined : { models: new Set(value.split(",").map(canonicalModelName)) },
  },
  routes: {
    form: "routes=A,B",
    allowed: `paths such as /v1/models or /v1/*, or ${Object.keys(ROUTE_GROUPS).join(", ")}, separated by commas`,
    read: (value) => listOf(value, isRoutePattern, (routes) => ({ routes })),
  },
  from: {
    form: "from=CIDR,CIDR",
    allowed: "addresses or networks such as 10.0.0.0/8 or ::1, separated by commas",
    read: (value) => listOf(value, isNetwork, (from) => ({ from })),
  },
  disabled: flag("disabled", { disabled: true }),
  admin: flag("admin", { admin: true }),
  options: flag("options", { options: true }),
};

/** All fields, as a line has them. */
export const KEY_FIELDS = Object.values(fields)
  .map(({ form }) => `[${form}]`)
  .join(" ");

/** Reads one field of a line. An error does not quote the value, which may be a key by mistake. */
export function readField(
  name: string,
  value: string | undefined,
): { readonly fields: Partial<KeyFields> } | { readonly wrong: string } {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined)
    return { wrong: `it has a field that is unknown; known are sha256=HEX ${KEY_FIELDS}` };
  const read = (value === undefined) === (field.flag === true) ? field.read(value ?? "") : undefined;
  return read === undefined ? { wrong: `its field '${name}' must be ${field.allowed}` } : { fields: read };
}

/** The end of a day, UTC, or a moment. */
export function expiryOf(value: string): number | undefined {
  const [, day = "", time] =
    /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.exec(value) ?? [];
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // February has no 30th, which Node.js takes for the 2nd of March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  if (time === undefined) return midnight + DAY;
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? undefined : moment;
}

/** What a list of addresses and networks holds. */
export function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    const family = isIP(address) === 4 ? "ipv4" : "ipv6";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

function isNetwork(text: string): boolean {
  const [, address = "", prefix] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(prefix ?? 0) <= (version === 4 ? 32 : 128);
}

function count(name: string, to: (count: number) => Partial<KeyFields>): Field {
  return {
    form: `${name}=N`,
    allowed: "a whole number from 1",
    read: (value) => (/^[1-9]\d{0,11}$/.test(value) ? to(Number(value)) : undefined),
  };
}

function flag(name: string, set: Partial<KeyFields>): Field {
  return { form: name, allowed: "without a value", flag: true, read: () => set };
}

function listOf(
  value: string,
  isAllowed: (entry: string) => boolean,
  to: (entries: readonly string[]) => Partial<KeyFields>,
): Partial<KeyFields> | undefined {
  const entries = value.split(",");
  return entries.every(isAllowed) ? to(entries) : undefined;
}
