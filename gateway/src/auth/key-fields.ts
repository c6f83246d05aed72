import { isNetwork } from "../lib/network/cidr.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import { isRoutePattern, ROUTE_GROUPS } from "./route-groups.ts";

/** Optional fields of a key. Plain data, so that changes can be detected by comparison. */
export interface KeyFields {
  /** Unix time in milliseconds from which the key is rejected; undefined for never. */
  readonly expiresAt?: number;
  /** Whether the key is rejected. */
  readonly disabled: boolean;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  /** Tokens per calendar day, UTC. */
  readonly tokensPerDay?: number;
  /** Tokens per calendar month, UTC. */
  readonly tokensPerMonth?: number;
  /** Maximum number of concurrent requests, including queued ones. */
  readonly concurrent?: number;
  /** Canonical names of the allowed models; undefined for all. */
  readonly models?: ReadonlySet<string>;
  /** Allowed route patterns and route groups; undefined for all. */
  readonly routes?: readonly string[];
  /** Networks in CIDR notation from which the key may be used; undefined for all. */
  readonly from?: readonly string[];
  /** May use the routes that modify the server. */
  readonly admin: boolean;
  /** May set runner options, and contexts that make Ollama reload a model. */
  readonly options: boolean;
}

interface Field {
  /** Syntax, for messages. */
  readonly syntax: string;
  /** Completes "must be ...". */
  readonly allowed: string;
  /** Whether it is a name without a value. */
  readonly flag?: true;
  /** Returns undefined for an invalid value. */
  readonly read: (value: string) => Partial<KeyFields> | undefined;
}

const DAY = 24 * 60 * 60 * 1000;

const fields: Readonly<Record<string, Field>> = {
  expires: {
    syntax: "expires=DATE",
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
    syntax: "models=A,B",
    allowed: "names of models, separated by commas",
    read: (value) =>
      value === "" ? undefined : { models: new Set(value.split(",").map(canonicalModelName)) },
  },
  routes: {
    syntax: "routes=A,B",
    allowed: `paths such as /v1/models or /v1/*, or ${Object.keys(ROUTE_GROUPS).join(", ")}, separated by commas`,
    read: (value) => listOf(value, isRoutePattern, (routes) => ({ routes })),
  },
  from: {
    syntax: "from=CIDR,CIDR",
    allowed: "addresses or networks such as 10.0.0.0/8 or ::1, separated by commas",
    read: (value) => listOf(value, isNetwork, (from) => ({ from })),
  },
  disabled: flag("disabled", { disabled: true }),
  admin: flag("admin", { admin: true }),
  options: flag("options", { options: true }),
};

/** Syntax of all fields. */
export const KEY_FIELDS = Object.values(fields)
  .map(({ syntax }) => `[${syntax}]`)
  .join(" ");

/** Parses one field. Errors do not quote the value, which may be a key by mistake. */
export function readField(
  name: string,
  value: string | undefined,
): { readonly fields: Partial<KeyFields> } | { readonly error: string } {
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined)
    return { error: `it has an unknown field; supported fields are sha256=HEX ${KEY_FIELDS}` };
  const read = (value === undefined) === (field.flag === true) ? field.read(value ?? "") : undefined;
  return read === undefined ? { error: `its field '${name}' must be ${field.allowed}` } : { fields: read };
}

/** Parses an expiry: the end of a day in UTC, or a time. Returns milliseconds, or undefined if invalid. */
function expiryOf(value: string): number | undefined {
  const [, day = "", time] =
    /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.exec(value) ?? [];
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // Node.js parses February 30 as March 2.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  if (time === undefined) return midnight + DAY;
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? undefined : moment;
}

function count(name: string, toFields: (count: number) => Partial<KeyFields>): Field {
  return {
    syntax: `${name}=N`,
    allowed: "a whole number from 1",
    read: (value) => (/^[1-9]\d{0,11}$/.test(value) ? toFields(Number(value)) : undefined),
  };
}

function flag(name: string, set: Partial<KeyFields>): Field {
  return { syntax: name, allowed: "without a value", flag: true, read: () => set };
}

function listOf(
  value: string,
  isAllowed: (entry: string) => boolean,
  toFields: (entries: readonly string[]) => Partial<KeyFields>,
): Partial<KeyFields> | undefined {
  const entries = value.split(",");
  return entries.every(isAllowed) ? toFields(entries) : undefined;
}
