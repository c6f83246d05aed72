// Loads a value from the browser's storage. That may be unavailable (private windows, full disk); the console then
// works without it.

export function load<T>(
  storage: () => Storage,
  name: string,
  isValid: (value: unknown) => value is T,
): T | undefined {
  try {
    const text = storage().getItem(name);
    if (text === null) return undefined;
    const value: unknown = JSON.parse(text);
    return isValid(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether the value was stored. */
export function save(storage: () => Storage, name: string, value: unknown): boolean {
  try {
    if (value === undefined) storage().removeItem(name);
    else storage().setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export function isText(value: unknown): value is string {
  return typeof value === "string";
}
