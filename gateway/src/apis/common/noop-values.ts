/** Values of unsupported parameters that equal the default behaviour. */

export function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Matches an empty object, or one that sets only `key` to a harmless value. */
export function setsOnly(key: string, harmless: readonly unknown[]): (value: unknown) => boolean {
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).every(([name, set]) => name === key && harmless.includes(set));
}

/** Whether the model itself may call a tool. */
export function letsTheModelCall(callers: unknown): boolean {
  return Array.isArray(callers) && callers.includes("direct");
}
