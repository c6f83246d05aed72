import { list } from "./format.ts";

/** A value that differs, by its path: "spec.replicas". */
interface ValueDifference {
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
  /** Whether it was added to a list manually; the API server then attributes it to its author, and no update removes it. */
  readonly isAdded?: true;
}

/**
 * The differences between an object and the stack's declaration. Ignores values that the stack leaves to the cluster, but
 * reports entries that were added to a list.
 */
export function compareObject(declared: unknown, actual: unknown, path = ""): ValueDifference[] {
  if (isUnset(declared) && isUnset(actual)) return [];
  if (Array.isArray(declared)) return compareLists(declared, Array.isArray(actual) ? actual : [], path);
  if (isRecord(declared)) {
    const have = isRecord(actual) ? actual : {};
    return Object.entries(declared).flatMap(([key, value]) =>
      compareObject(value, have[key], path === "" ? key : `${path}.${key}`),
    );
  }
  if (declared === actual || canonical(declared) === canonical(actual)) return [];
  return [{ path, expected: shown(declared), actual: shown(actual) }];
}

function compareLists(
  declared: readonly unknown[],
  actual: readonly unknown[],
  path: string,
): ValueDifference[] {
  const names = declared.map(nameOf);
  if (names.some((name) => name === undefined)) {
    if (declared.length !== actual.length)
      return [{ path, expected: shown(declared), actual: shown(actual) }];
    return declared.flatMap((value, i) => compareObject(value, actual[i], `${path}[${String(i)}]`));
  }
  // The cluster may reorder them.
  const have = new Map(actual.map((value) => [nameOf(value), value]));
  const added = [...have].filter(([name]) => !names.includes(name));
  return [
    ...declared.flatMap((value) => {
      const name = nameOf(value) ?? "";
      const at = `${path}[${name}]`;
      return have.has(name)
        ? compareObject(value, have.get(name), at)
        : [{ path: at, expected: "there", actual: "removed" }];
    }),
    ...added.map(([name, value]) => ({
      path: `${path}[${name ?? ""}]`,
      expected: "none",
      actual: shown(isRecord(value) && "value" in value ? value["value"] : "added"),
      isAdded: true as const,
    })),
  ];
}

/** The key that identifies an entry of a list. */
function nameOf(value: unknown): string | undefined {
  if (!isRecord(value)) return undefined;
  const { name } = value;
  return typeof name === "string" ? name : undefined;
}

/** Values that the API server omits. */
function isUnset(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.values(value).every(isUnset);
}

const units: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity as a number, as the API server writes it in another unit: 1024Mi is 1Gi. */
function canonical(value: unknown): unknown {
  const [, digits = "", unit = ""] =
    /^(\d+(?:\.\d+)?)([mkMGT]|[KMGT]i)?$/.exec(typeof value === "string" ? value : "") ?? [];
  return digits === "" ? value : Number(digits) * (units[unit] ?? 1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (isUnset(value)) return "none";
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return list(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}
