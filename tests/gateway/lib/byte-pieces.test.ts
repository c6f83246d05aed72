import { expect, test } from "vitest";
import { BytePieces } from "../../../gateway/src/lib/byte-pieces.ts";

test("merges many small chunks into few pieces with the same bytes", () => {
  const pieces = new BytePieces();
  const bytes = Buffer.from(Array.from({ length: 50_000 }, (_none, index) => index % 251));
  for (const byte of bytes) pieces.add(Buffer.of(byte));
  const taken = [];
  for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) taken.push(piece);
  expect(pieces.hasComplete).toBe(false);
  taken.push(...pieces.takeAll());
  expect(Buffer.concat(taken)).toEqual(bytes);
  expect(taken.length).toBeLessThan(6);
});

test("keeps the order of bytes when a large chunk follows small ones", () => {
  const pieces = new BytePieces();
  pieces.add(Buffer.from("a"));
  pieces.add(Buffer.from("b"));
  pieces.add(Buffer.alloc(40_000, "c"));
  pieces.add(Buffer.from("d"));
  expect(Buffer.concat([...pieces.takeAll()]).toString()).toBe(`ab${"c".repeat(40_000)}d`);
  expect(pieces.takeAll()).toEqual([]);
});
