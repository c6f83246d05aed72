import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeEach, expect, it, vi } from "vitest";
import { bundleGateway } from "../../../components/resources/gateway-image/bundle.ts";

vi.mock("esbuild", async (original) => {
  const real = await original<typeof import("esbuild")>();
  return { ...real, buildSync: vi.fn(real.buildSync) };
});
const buildMock = vi.mocked(buildSync);
// Bundling takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

// A copy of the bundle's sources, which tests can change. Each bundle takes a second: a change is undone only where that
// is what a test shows.
const root = mkdtempSync(join(tmpdir(), "ollama-stack-bundle-"));
for (const path of ["package.json", "package-lock.json", "tsconfig.json", "console", "gateway"])
  cpSync(path, join(root, path), {
    recursive: true,
    filter: (from) => !/(console|gateway)\/(dist|node_modules)$/.test(from),
  });
mkdirSync(join(root, "node_modules"));
for (const workspace of ["console", "gateway"])
  symlinkSync(join(process.cwd(), "node_modules"), join(root, workspace, "node_modules"));
afterAll(() => {
  rmSync(root, { recursive: true });
});
const bundle = () => bundleGateway(root);
const server = join(root, "gateway", "dist", "server.cjs");
const edit = (path: string, change: (text: string) => string) => {
  const file = join(root, path);
  const before = readFileSync(file, "utf8");
  writeFileSync(file, change(before));
  return () => {
    writeFileSync(file, before);
  };
};

beforeEach(() => {
  bundle();
  buildMock.mockClear();
});

it("reuses the bundle and its hash if nothing has changed", () => {
  const hash = bundle();
  expect(bundle()).toBe(hash);
  expect(buildMock).not.toHaveBeenCalled();
});

it("bundles a changed source, and the original again when the change is undone", () => {
  const hash = bundle();
  const undo = edit("gateway/src/server.ts", (text) => `${text}\nconsole.log("planted");\n`);
  expect(bundle()).not.toBe(hash);
  expect(readFileSync(server, "utf8")).toContain("planted");
  undo();
  expect(bundle()).toBe(hash);
  expect(readFileSync(server, "utf8")).not.toContain("planted");
});

it("bundles again if package-lock.json, or the package.json of the gateway or the console, has changed", () => {
  for (const path of ["package-lock.json", "gateway/package.json", "console/package.json"]) {
    buildMock.mockClear();
    edit(path, (text) => `${text}\n`);
    bundle();
    // The gateway, its Valkey client and its console.
    expect(buildMock, path).toHaveBeenCalledTimes(3);
  }
});

it("bundles a changed console, and removes its former files", () => {
  const dist = join(root, "gateway", "dist", "console");
  const hash = bundle();
  const before = readdirSync(dist);
  edit("console/src/main.tsx", (text) => `${text}\nconsole.log("planted");\n`);
  expect(bundle()).not.toBe(hash);
  expect(readdirSync(dist).sort()).not.toEqual(before.sort());
  expect(readdirSync(dist)).toHaveLength(before.length);
});

it("the console is at most 150 KB compressed", () => {
  const dist = join(root, "gateway", "dist", "console");
  for (const encoding of [".br", ".gz"]) {
    const sizes = readdirSync(dist).flatMap((name) =>
      name.endsWith(encoding) ? statSync(join(dist, name)).size : [],
    );
    expect(sizes.length).toBeGreaterThan(3);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
  }
});

it("the server is Latin-1 only, because V8 would otherwise hold it in twice the memory", () => {
  const [beyond = ""] = /[\u0100-\u{10ffff}]/u.exec(readFileSync(server, "utf8")) ?? [];
  expect(beyond).toBe("");
});

it("the server contains no unused modules, which it would load at each start", () => {
  const text = readFileSync(server, "utf8");
  expect(text).toContain('undici/lib/dispatcher/client.js"');
  expect(text).not.toMatch(/require\("(node:)?http2"\)/);
  for (const unused of ["undici/lib/web/fetch", "semver", "thread-stream", "@opentelemetry/api"])
    expect(text).not.toContain(`node_modules/${unused}/`);
});

it("repairs a bundle that was changed or added to", () => {
  const hash = bundle();
  writeFileSync(server, "changed");
  expect(bundle()).toBe(hash);
  const other = join(root, "gateway", "dist", "other.cjs");
  writeFileSync(other, "");
  expect(bundle()).toBe(hash);
  expect(() => readFileSync(other)).toThrow();
});

it("changes the hash for another Dockerfile without bundling again", () => {
  const hash = bundle();
  const undo = edit("gateway/Dockerfile", (text) => `${text}\n`);
  expect(bundle()).not.toBe(hash);
  undo();
  expect(buildMock).not.toHaveBeenCalled();
});

it("restores a removed bundle readable for the container's user, whatever the umask", () => {
  const dist = join(root, "gateway", "dist");
  const modes = () => [dist, server].map((path) => (statSync(path).mode & 0o777).toString(8));
  const hash = bundle();
  rmSync(dist, { recursive: true });
  const umask = process.umask(0o077);
  try {
    expect(bundle()).toBe(hash);
  } finally {
    process.umask(umask);
  }
  expect(modes()).toEqual(["755", "644"]);
  chmodSync(server, 0o600);
  chmodSync(dist, 0o700);
  buildMock.mockClear();
  expect(bundle()).toBe(hash);
  expect(modes()).toEqual(["755", "644"]);
  expect(buildMock).not.toHaveBeenCalled();
});

it("the Valkey client is in a separate file, which is loaded only for shared state", async () => {
  expect(readFileSync(server, "utf8")).toContain('import("./redis.cjs")');
  const { Redis } = (await import(join(root, "gateway", "dist", "redis.cjs"))) as { readonly Redis: unknown };
  expect(Redis).toBeTypeOf("function");
});
