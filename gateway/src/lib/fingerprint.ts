import { hash } from "node:crypto";

// Enough to distinguish what people write, at a bounded cost.
const MAX_NODES = 1000;
const MAX_TEXT = 256;

/** A short hash of a JSON value. Large values may collide, as only the beginning is hashed. */
export function fingerprintOf(value: unknown): string {
  const parts: string[] = [];
  let nodes = 0;
  const visit = (each: unknown): void => {
    nodes += 1;
    if (nodes > MAX_NODES) return;
    if (typeof each === "string")
      parts.push(`${each.length} ${each.slice(0, MAX_TEXT)} ${each.slice(-MAX_TEXT)}`);
    else if (typeof each !== "object" || each === null) parts.push(String(each));
    else {
      const entries = Object.entries(each);
      parts.push(`${entries.length} of`);
      for (const [key, inside] of entries.slice(0, MAX_NODES)) {
        parts.push(key);
        visit(inside);
      }
    }
  };
  visit(value);
  return hash("sha256", parts.join("\n"));
}
