/** Total length of all strings and keys in a value, in UTF-16 units. */
export function textLength(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  let sum = 0;
  // `Object.keys` would dominate the time.
  for (const key in value) sum += key.length + textLength((value as Record<string, unknown>)[key]);
  return sum;
}
