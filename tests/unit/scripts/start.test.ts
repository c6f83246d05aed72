import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { ESLint } from "eslint";
import { afterAll, describe, expect, it } from "vitest";
import { isInstalled, missingPackages } from "../../../scripts/node/install.mjs";

const folder = mkdtempSync(join(tmpdir(), "ollama stack start-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Runs scripts/start.cjs on a Node.js that calls itself another version. */
function start(version: string): { printed: string[]; exitCode: number | undefined } {
  const printed: string[] = [];
  let exitCode: number | undefined;
  runInNewContext(readFileSync("scripts/start.cjs", "utf8"), {
    require: (name: string) => process.getBuiltinModule(name),
    __dirname: folder,
    process: {
      versions: { node: version },
      execPath: "/usr/bin/node",
      exit: (code: number) => (exitCode ??= code),
    },
    console: { error: (line: unknown) => printed.push(String(line)) },
  });
  return { printed, exitCode };
}

describe("a Node.js that is too old", () => {
  it.each(["0.10.48", "10.19.0", "18.20.8"])("is rejected with one line: %s", (version) => {
    expect(start(version)).toEqual({
      printed: [
        `error: this project needs Node.js 20 or newer, and /usr/bin/node is ${version}. ` +
          "Install a current one (nodejs.org, or your system's packages), check node --version, and run it again.",
      ],
      exitCode: 1,
    });
  });

  it("can parse the file that rejects it", async () => {
    const [result] = await new ESLint({ cwd: process.cwd() }).lintFiles(["scripts/start.cjs"]);
    expect(result?.messages).toEqual([]);
  });

  it("is one that package.json's engines exclude", () => {
    const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
    expect(engines.node).toBe(">=20");
    expect(start("20.0.0").exitCode).toBeUndefined();
  });
});

describe("packages", () => {
  const clone = join(folder, "a clone");
  const bin = join(folder, "bin");
  mkdirSync(join(clone, "node_modules", "present"), { recursive: true });
  mkdirSync(bin);
  writeFileSync(join(clone, "node_modules", "present", "package.json"), "{}");
  const manifest = { dependencies: { present: "1" }, devDependencies: { "left-out": "1" } };
  writeFileSync(join(clone, "package.json"), JSON.stringify(manifest));

  it("are reported as missing if npm left them out", () => {
    expect(missingPackages(clone)).toEqual(["left-out"]);
    expect(missingPackages(process.cwd())).toEqual([]);
  });

  it("are not installed again after a plain npm ci", () => {
    const project = join(folder, "a project");
    mkdirSync(join(project, "one"), { recursive: true });
    writeFileSync(join(project, "one", "package.json"), JSON.stringify({ name: "one", version: "1.0.0" }));
    writeFileSync(join(project, "package.json"), JSON.stringify({ dependencies: { one: "file:one" } }));
    const npm = (...args: string[]) =>
      execFileSync("npm", [...args, "--offline", "--no-audit", "--no-fund"], {
        cwd: project,
        stdio: "ignore",
      });
    npm("install", "--package-lock-only");
    expect(isInstalled(project)).toBe(false);
    npm("ci");
    expect(isInstalled(project)).toBe(true);
  });

  it("are complete if npm's copy of the lock file has them all", () => {
    const copy = join(folder, "a copy");
    const write = (name: string, packages: object): void => {
      writeFileSync(join(copy, name), JSON.stringify({ packages }));
    };
    const [npms, ours] = ["node_modules/.package-lock.json", "package-lock.json"];
    const locked = {
      "": { name: "a-copy" },
      console: { version: "1.0.0" },
      "node_modules/one": { version: "1.0.0" },
      "node_modules/windows-only": { version: "1.0.0", optional: true },
    };
    mkdirSync(join(copy, "node_modules", "one"), { recursive: true });
    writeFileSync(join(copy, "node_modules", "one", "package.json"), "{}");
    writeFileSync(join(copy, "package.json"), JSON.stringify({ dependencies: { one: "1" } }));
    write(ours, locked);
    // The installation was interrupted, or the package manager writes no copy.
    expect(isInstalled(copy)).toBe(false);
    write(npms, { "node_modules/one": { version: "1.0.0" } });
    expect(isInstalled(copy)).toBe(true);
    write(npms, { "node_modules/one": { version: "0.9.0" } });
    expect(isInstalled(copy)).toBe(false);
    write(npms, { "node_modules/one": { version: "1.0.0" } });
    write(ours, { ...locked, "node_modules/two": { version: "1.0.0" } });
    expect(isInstalled(copy)).toBe(false);
    write(ours, locked);
    rmSync(join(copy, "node_modules", "one"), { recursive: true });
    expect(isInstalled(copy)).toBe(false);
  });

  it("for development are installed even if the environment omits them", () => {
    cpSync("scripts/node/install.mjs", join(clone, "scripts", "node", "install.mjs"));
    for (const file of ["cache-dir.mjs"]) cpSync(`host/${file}`, join(clone, "host", file));
    const npm = join(bin, "npm");
    writeFileSync(npm, `#!/bin/sh\nprintf '%s\\n' "$@" > "${folder}/args"\nenv > "${folder}/environment"\n`, {
      mode: 0o755,
    });
    const url = pathToFileURL(join(clone, "scripts", "node", "install.mjs")).href;
    execFileSync(
      process.execPath,
      ["--eval", `import(${JSON.stringify(url)}).then(({ npmCi }) => npmCi(process.argv[1]))`, clone],
      {
        env: {
          PATH: [bin, "/usr/bin", "/bin"].join(delimiter),
          NODE_ENV: "production",
          npm_config_omit: "dev",
          NPM_CONFIG_PRODUCTION: "true",
        },
      },
    );
    const args = readFileSync(join(folder, "args"), "utf8").split("\n");
    expect(args).toEqual(expect.arrayContaining(["ci", "--include=dev", "--include=optional"]));
    expect(readFileSync(join(folder, "environment"), "utf8")).not.toMatch(/production|omit/i);
  });
});

it("starts from a clone whose path has spaces", () => {
  const clone = join(folder, "my projects", "ollama stack");
  for (const part of ["scripts", "host", "package.json", "package-lock.json"])
    cpSync(part, join(clone, part), { recursive: true });
  symlinkSync(join(process.cwd(), "node_modules"), join(clone, "node_modules"));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(clone, "scripts", "start.cjs"), "--exec", "tsc", "--version"],
    { encoding: "utf8", cwd: clone },
  );
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^Version /);
});
