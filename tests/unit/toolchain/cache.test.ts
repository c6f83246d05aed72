import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { artefact, keyOf, keyOfFolder, sweepPartials } from "../../../toolchain/cache.ts";
import { isNewEnough } from "../../../toolchain/go.ts";
import { nodeImage, ollamaImage, registryImage } from "../../../toolchain/images.ts";
import { install, installed, uninstallBuilt } from "../../../toolchain/install.ts";
import { cFlags, partBinary, partKey, parts } from "../../../toolchain/binaries.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ollama-stack-cache-"));
  vi.stubEnv("OLLAMA_STACK_CACHE", join(root, "cache"));
  vi.stubEnv("PULUMI_HOME", join(root, "pulumi"));
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

describe("cache keys", () => {
  it("depend on every input and on the boundaries between inputs", () => {
    expect(keyOf(["a", "b"])).toBe(keyOf(["a", "b"]));
    expect(keyOf(["a", "b"])).not.toBe(keyOf(["a", "c"]));
    expect(keyOf(["ab", "c"])).not.toBe(keyOf(["a", "bc"]));
  });

  it("of a folder depend on the names and contents of its files", () => {
    const folder = join(root, "sources");
    mkdirSync(folder);
    writeFileSync(join(folder, "one"), "1");
    const first = keyOfFolder(folder);
    writeFileSync(join(folder, "one"), "2");
    const changed = keyOfFolder(folder);
    rmSync(join(folder, "one"));
    writeFileSync(join(folder, "two"), "2");
    expect(new Set([first, changed, keyOfFolder(folder)]).size).toBe(3);
  });

  it("differ for every part and image", () => {
    const all = Object.values(parts);
    expect(new Set(all.map(partKey)).size).toBe(all.length);
    expect(ollamaImage().keyedTag).toMatch(/^ollama-stack\/ollama:0\.17\.4-[0-9a-f]{12}$/);
    expect(nodeImage().tag).toBe("ollama-stack/node:24.21.0");
    expect(registryImage().keyedTag).not.toBe(registryImage().tag);
  });
});

describe("the artefact cache", () => {
  it("creates an artefact once", async () => {
    const make = vi.fn((partial: string) => {
      writeFileSync(join(partial, "file"), "content");
      return Promise.resolve();
    });
    const first = await artefact("thing", "key", make);
    expect(await artefact("thing", "key", make)).toBe(first);
    expect(make).toHaveBeenCalledTimes(1);
    expect(existsSync(join(first, "file"))).toBe(true);
  });

  it("stores nothing if the creation fails, and creates the artefact on the next run", async () => {
    const fails = artefact("thing", "key", () => Promise.reject(new Error("cut off")));
    await expect(fails).rejects.toThrow("cut off");
    expect(readdirSync(join(root, "cache"))).toEqual([]);
    expect(existsSync(await artefact("thing", "key", () => Promise.resolve()))).toBe(true);
  });

  it("removes the partial artefacts of killed runs, but not of running ones", () => {
    mkdirSync(join(root, "cache", "thing-key.partial-999999999"), { recursive: true });
    mkdirSync(join(root, "cache", "thing-key"));
    mkdirSync(join(root, "cache", `node-key.partial-${String(process.ppid)}`));
    sweepPartials();
    expect(readdirSync(join(root, "cache"))).toEqual([
      `node-key.partial-${String(process.ppid)}`,
      "thing-key",
    ]);
  });
});

describe("installed tools", () => {
  const folder = () => join(root, "pulumi", "versions", "3.259.0", "bin");
  const file = () => join(folder(), "pulumi");

  function build(): void {
    mkdirSync(join(partBinary(parts.cli), ".."), { recursive: true });
    writeFileSync(partBinary(parts.cli), "built");
  }

  it("are current after the installation, and can be uninstalled", () => {
    build();
    expect(installed(parts.cli, folder())).toBe("missing");
    install(parts.cli, folder());
    expect(installed(parts.cli, folder())).toBe("current");
    uninstallBuilt();
    expect(existsSync(file())).toBe(false);
  });

  it("are left alone if they were released", () => {
    build();
    mkdirSync(folder(), { recursive: true });
    writeFileSync(file(), "released");
    expect(installed(parts.cli, folder())).toBe("released");
    install(parts.cli, folder());
    uninstallBuilt();
    expect(installed(parts.cli, folder())).toBe("released");
  });

  it("are installed again if they were built from other sources or are incomplete", () => {
    build();
    install(parts.cli, folder());
    writeFileSync(join(folder(), ".pulumi.built"), "incomplete");
    expect(installed(parts.cli, folder())).toBe("outdated");
    install(parts.cli, folder());
    expect(installed(parts.cli, folder())).toBe("current");
  });
});

describe("the build machine", () => {
  it("needs a Go that is new enough", () => {
    expect(isNewEnough("go1.26.8")).toBe(true);
    expect(isNewEnough("go1.27.0")).toBe(true);
    expect(isNewEnough("go2.0")).toBe(true);
    expect(isNewEnough("go1.19.8")).toBe(false);
    expect(isNewEnough("devel")).toBe(false);
  });

  it("compiles with vector instructions only if its CPU has all of them", () => {
    expect(cFlags("flags\t\t: fpu avx2 fma f16c bmi2 sse")).toBe("-O3 -mavx2 -mfma -mf16c -mbmi2");
    expect(cFlags("flags\t\t: fpu avx2 fma f16c sse")).toBe("-O3");
    expect(cFlags("")).toBe("-O3");
  });
});
