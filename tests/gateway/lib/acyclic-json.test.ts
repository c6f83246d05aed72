import { expect, it, vi } from "vitest";
import * as z from "zod";
import "../../../gateway/src/lib/acyclic-json.ts";

it("a body is validated without a table of the objects seen, even by a schema that contains itself", () => {
  interface Tree {
    readonly children: readonly Tree[];
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ children: z.array(tree) }));
  const body = { children: [{ children: [] }, { children: [{ children: [] }] }] };
  const tables = vi.spyOn(globalThis, "WeakMap");
  const parsed = tree.parse(body);
  const { length } = tables.mock.calls;
  tables.mockRestore();
  expect(length).toBe(0);
  expect(parsed).toEqual(body);
  expect(tree.safeParse({ children: [{ children: [{}] }] }).error?.issues).toMatchObject([
    { code: "invalid_type", path: ["children", 0, "children", 0, "children"] },
  ]);
});
