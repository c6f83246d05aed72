/** Values of parameters that cannot be honoured, but change nothing: what would happen without them anyway. */

export function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** An object that sets nothing, or one thing to what it is without it. */
export function setsOnly(key: string, harmless: readonly unknown[]): (value: unknown) => boolean {
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.entries(value).every(([name, set]) => name === key && harmless.includes(set));
}

/** Who may call a tool: the model itself, whoever else may. */
export function letsTheModelCall(callers: unknown): boolean {
  return Array.isArray(callers) && callers.includes("direct");
}
