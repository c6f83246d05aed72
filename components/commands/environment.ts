/** What the component hands to its command; missing means that the two do not fit together. */
export function required(key: string): string {
  const value = process.env[key];
  if (value === undefined || value === "") throw new Error(`${key} is not set`);
  return value;
}
