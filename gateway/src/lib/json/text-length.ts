/** Total length of all strings in a value, and of the keys of its objects, in UTF-16 units. */
export function textLength(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  const isArray = Array.isArray(value);
  let sum = 0;
  // `Object.keys` would dominate the time.
  for (const key in value) {
    sum += (isArray ? 0 : key.length) + textLength((value as Record<string, unknown>)[key]);
  }
  return sum;
}
