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
const made = vi.mocked(buildSync);
// Bundling takes seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

// A copy of what the gateway is bundled from, that can be changed.
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
  made.mockClear();
});

it("the gateway is not bundled again when nothing of it changed, and the hash is the same", () => {
  const hash = bundle();
  expect(bundle()).toBe(hash);
  expect(made).not.toHaveBeenCalled();
});

it("another source is another bundle, and the first one is made again when it is put back", () => {
  const hash = bundle();
  const undo = edit("gateway/src/server.ts", (text) => `${text}\nconsole.log("planted");\n`);
  expect(bundle()).not.toBe(hash);
  expect(readFileSync(server, "utf8")).toContain("planted");
  undo();
  expect(bundle()).toBe(hash);
  expect(readFileSync(server, "utf8")).not.toContain("planted");
});

it("is bundled again for another package-lock.json, and another package.json of the gateway or the console", () => {
  const undo = ["package-lock.json", "gateway/package.json", "console/package.json"].map((path) => {
    made.mockClear();
    const undoOne = edit(path, (text) => `${text}\n`);
    bundle();
    // The gateway, its client of Valkey, and its console.
    expect(made, path).toHaveBeenCalledTimes(3);
    return undoOne;
  });
  for (const each of undo) each();
});

it("another source of the console is another bundle, and its former files are gone", () => {
  const dist = join(root, "gateway", "dist", "console");
  const hash = bundle();
  const before = readdirSync(dist);
  const undo = edit("console/src/main.tsx", (text) => `${text}\nconsole.log("planted");\n`);
  expect(bundle()).not.toBe(hash);
  expect(readdirSync(dist).sort()).not.toEqual(before.sort());
  expect(readdirSync(dist)).toHaveLength(before.length);
  undo();
  expect(bundle()).toBe(hash);
  expect(readdirSync(dist).sort()).toEqual(before.sort());
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

it("the server has no character beyond Latin-1, for one of which V8 would hold all of it in twice the memory", () => {
  const [beyond = ""] = /[\u0100-\u{10ffff}]/u.exec(readFileSync(server, "utf8")) ?? [];
  expect(beyond).toBe("");
});

it("the server has no module that it does not use and would load at each start", () => {
  const text = readFileSync(server, "utf8");
  expect(text).toContain('undici/lib/dispatcher/client.js"');
  expect(text).not.toMatch(/require\("(node:)?http2"\)/);
  for (const unused of ["undici/lib/web/fetch", "semver", "thread-stream", "@opentelemetry/api"])
    expect(text).not.toContain(`node_modules/${unused}/`);
});

it("a bundle that somebody changed, removed or added to is put right", () => {
  const hash = bundle();
  writeFileSync(server, "changed");
  expect(bundle()).toBe(hash);
  rmSync(join(root, "gateway", "dist"), { recursive: true });
  expect(bundle()).toBe(hash);
  const other = join(root, "gateway", "dist", "other.cjs");
  writeFileSync(other, "");
  expect(bundle()).toBe(hash);
  expect(() => readFileSync(other)).toThrow();
});

it("another Dockerfile is another hash, and needs no other bundle", () => {
  const hash = bundle();
  const undo = edit("gateway/Dockerfile", (text) => `${text}\n`);
  expect(bundle()).not.toBe(hash);
  undo();
  expect(made).not.toHaveBeenCalled();
});

it("a bundle can be read by the container's user, whatever umask it or an earlier one was made with", () => {
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
  made.mockClear();
  expect(bundle()).toBe(hash);
  expect(modes()).toEqual(["755", "644"]);
  expect(made).not.toHaveBeenCalled();
});

it("the client of Valkey is in a file of its own, which is loaded where state is shared", async () => {
  expect(readFileSync(server, "utf8")).toContain('import("./redis.cjs")');
  const { Redis } = (await import(join(root, "gateway", "dist", "redis.cjs"))) as { readonly Redis: unknown };
  expect(Redis).toBeTypeOf("function");
});
