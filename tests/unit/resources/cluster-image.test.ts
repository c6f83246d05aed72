import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { writeImageContext } from "../../../components/resources/gateway-image/cluster-image.ts";

const folder = mkdtempSync(join(tmpdir(), "cluster-image-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it("writes a build context with the gateway's own Dockerfile, and a keeper that any user can read", () => {
  const [root, context] = [join(folder, "root"), join(folder, "context")];
  for (const path of ["dist/console", "usage", "src"])
    mkdirSync(join(root, "gateway", path), { recursive: true });
  for (const path of [
    "Dockerfile",
    ".dockerignore",
    "dist/server.cjs",
    "dist/console/index.html",
    "src/a.ts",
  ])
    writeFileSync(join(root, "gateway", path), path);
  mkdirSync(context);
  const before = process.umask(0o077);
  try {
    writeImageContext(root, Buffer.from("keeper"), context);
  } finally {
    process.umask(before);
  }
  expect(readdirSync(context).toSorted()).toEqual([".dockerignore", "Dockerfile", "dist", "usage"]);
  expect(readFileSync(join(context, "dist", "console", "index.html"), "utf8")).toBe(
    "dist/console/index.html",
  );
  expect(readFileSync(join(context, "dist", "keep-models.cjs"), "utf8")).toBe("keeper");
  const modes = ["console", "console/index.html", "keep-models.cjs"].map(
    (path) => statSync(join(context, "dist", path)).mode & 0o777,
  );
  expect(modes.map((mode) => mode.toString(8))).toEqual(["755", "644", "644"]);
});
