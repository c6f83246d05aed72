import { expect, test } from "vitest";
import { TupleMap } from "../../../gateway/src/lib/tuple-map.ts";

test("finds tuples by their parts, whatever the parts contain", () => {
  const map = new TupleMap<number>();
  map.set(["a", "b"], 1);
  map.set(["a b"], 2);
  map.set(["a"], 3);
  map.set([], 4);
  expect([map.get(["a", "b"]), map.get(["a b"]), map.get(["a"]), map.get([])]).toEqual([1, 2, 3, 4]);
  expect([map.get(["b"]), map.get(["a", "b", "c"]), map.get(["b", "a"])]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  map.set(["a", "b"], 5);
  expect(map.get(["a", "b"])).toBe(5);
});
