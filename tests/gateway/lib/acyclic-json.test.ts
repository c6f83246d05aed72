import { expect, it, vi } from "vitest";
import * as z from "zod";
import "../../../gateway/src/lib/acyclic-json.ts";

it("validates a body without a WeakMap of visited objects, even with a recursive schema", () => {
  interface Tree {
    readonly children: readonly Tree[];
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree) }));
  const body = { children: [{ children: [] }, { children: [{ children: [] }] }] };
  const weakMaps = vi.spyOn(globalThis, "WeakMap");
  const parsed = tree.parse(body);
  const { length } = weakMaps.mock.calls;
  weakMaps.mockRestore();
  expect(length).toBe(0);
  expect(parsed).toEqual(body);
  expect(tree.safeParse({ children: [{ children: [{}] }] }).error?.issues).toMatchObject([
    { code: "invalid_type", path: ["children", 0, "children", 0, "children"] },
  ]);
});
