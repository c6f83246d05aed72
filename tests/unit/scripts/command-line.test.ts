import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import { commands } from "../../../scripts/cli/command-definitions.mjs";
import {
  type CommandName,
  helpOf,
  parseCommandLine,
  scriptOf,
  shownOptions,
} from "../../../scripts/cli/command-line.mjs";

const names = Object.keys(commands) as CommandName[];
const parse = (name: CommandName, args: string[], environment: NodeJS.ProcessEnv = {}) =>
  parseCommandLine(name, args, environment);

/** Runs an npm script's entry point with an empty PATH and folders that do not exist. */
function run(name: string, args: string[], environment: NodeJS.ProcessEnv = {}) {
  const nothing = "/nowhere/ollama-stack";
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/start.cjs", name, ...args], {
    encoding: "utf8",
    env: {
      ...process.env,
      OLLAMA_STACK_CACHE: nothing,
      OLLAMA_STACK_STATE: nothing,
      PATH: "",
      ...environment,
    },
  });
  return { status, stdout, stderr };
}

describe("--stack", () => {
  const withStack = names.filter((name) => "stack" in commands[name].options);

  it.each(withStack)("is accepted by npm run %s in every notation", (name) => {
    for (const args of [["--stack", "bugs"], ["--stack=bugs"], ["-s", "bugs"], ["-s=bugs"], ["-sbugs"]])
      expect(parse(name, args), args.join(" ")).toMatchObject({
        options: { stack: "bugs" },
        operands: [],
        passed: [],
      });
    expect(parse(name, [], { npm_config_stack: "bugs" }).options).toMatchObject({ stack: "bugs" });
    expect(parse(name, ["-s", "mine"], { npm_config_stack: "bugs" }).options).toMatchObject({
      stack: "mine",
    });
  });

  it.each(withStack)("is rejected by npm run %s without a name", (name) => {
    for (const args of [["--stack"], ["--stack="], ["-s"], ["--stack", "--yes"]])
      expect(() => parse(name, args), args.join(" ")).toThrow(
        /^(--stack|-s) needs a value, such as --stack NAME$/,
      );
    expect(() => parse(name, [], { npm_config_stack: "true" })).toThrow(
      `npm consumed --stack as its own option without a value: use npm run ${name} -- --stack NAME`,
    );
  });

  it("can select the tools by its former name, which the help omits", () => {
    expect(parse("up", ["--world", "built"]).options).toEqual({ world: "built" });
    expect(() => parse("up", ["--world", "old"])).toThrow("--world is old, but must be released or built");
  });

  it("is not guessed if npm turned it into an operand: npm run destroy -s bugs", () => {
    const { status, stdout, stderr } = run("destroy", ["bugs"]);
    expect([status, stdout, stderr]).toEqual([
      1,
      "",
      'error: destroy takes options only, but got "bugs". Options come after --: npm run destroy -- --stack NAME\n',
    ]);
  });
});

describe("an unknown option", () => {
  it.each(names.filter((name) => name !== "pulumi"))("is rejected by npm run %s", (name) => {
    for (const unknown of ["--stak", "-x"])
      expect(() => parse(name, [unknown, "bugs"]), unknown).toThrow(
        new RegExp(`^${name} has no option ${unknown}\\. See npm run ${scriptOf(name)} -- --help\\.`),
      );
  });

  it.each(["destroy", "up"])("is rejected by npm run %s before the set-up", (name) => {
    const { status, stdout, stderr } = run(name, ["--stak", "bugs"]);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(`error: ${name} has no option --stak. See npm run ${name} -- --help.`);
  });

  it("is rejected by the command's own file too", () => {
    const { status, stderr } = spawnSync(process.execPath, ["scripts/commands/destroy.ts", "--yse"], {
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: destroy has no option --yse\./);
  });

  it("is passed to Pulumi after another --, as the error explains", () => {
    expect(parse("destroy", ["-s", "bugs", "--", "-s", "x", "--target", "y"])).toEqual({
      help: false,
      options: { stack: "bugs" },
      operands: [],
      passed: ["-s", "x", "--target", "y"],
    });
    expect(() => parse("up", ["-c", "edge=none"])).toThrow(
      "up has no option -c. See npm run up -- --help. Options of pulumi up come after another --: npm run up -- -- -c",
    );
  });

  it("is rejected after the -- of a command that runs no other program", () => {
    expect(() => parse("purge", ["--", "--yes"])).toThrow(
      /purge does not pass arguments on to a program, but got "-- --yes"/,
    );
  });
});

describe("options", () => {
  it("accept only the allowed values", () => {
    expect(parse("destroy", ["--models", "keep", "-y"]).options).toEqual({ models: "keep", yes: true });
    expect(() => parse("destroy", ["--models", "both"])).toThrow(
      "--models is both, but must be keep or delete",
    );
    expect(() => parse("destroy", ["--yes=no"])).toThrow('--yes takes no value, but got "no"');
    expect(parse("logs", ["--tail", "all"]).options).toEqual({ tail: "all" });
    expect(() => parse("logs", ["--tail", "ten"])).toThrow(
      "--tail is ten, but must be a number of lines or all",
    );
    expect(() => parse("usage", ["--month", "2026-13"])).toThrow(
      "--month is 2026-13, but must be a month such as 2026-11",
    );
  });

  it("that are npm's own are not taken from its configuration", () => {
    const npm = {
      npm_config_yes: "true",
      npm_config_tag: "next",
      npm_config_only: "x",
      npm_config_before: "y",
    };
    for (const name of names) expect(parse(name, [], npm).options, name).toEqual({});
    expect(parse("image", ["--tag", "mine"], npm).options).toEqual({ tag: "mine" });
  });

  it("push and tag exclude each other", () => {
    const { status, stdout, stderr } = run("image", ["--push", "r.test/a", "--tag", "r.test/b"]);
    expect([status, stdout, stderr]).toEqual([
      1,
      "",
      "error: image takes either --push or --tag, but got both: --push r.test/a pushes the image, --tag r.test/b only builds it\n",
    ]);
  });

  it("that npm consumed as its own are recognized, except --yes", () => {
    const npm = { npm_config_yes: "true", npm_config_models: "delete", npm_config_update_models: "true" };
    expect(parse("destroy", [], npm).options).toEqual({ models: "delete" });
    expect(parse("up", [], npm).options).toEqual({ "update-models": true });
  });

  it("of Pulumi's commands are passed on, except --stack, in any position", () => {
    expect(
      parse("pulumi", ["config", "set", "-s=bugs", "--path", "models[0].name", "m", "-cx", "--", "-1"]),
    ).toEqual({
      help: false,
      options: { stack: "bugs" },
      operands: [],
      passed: ["config", "set", "--path", "models[0].name", "m", "-cx", "--", "-1"],
    });
    expect(parse("pulumi", ["up", "--help", "--stack", "bugs"])).toMatchObject({
      help: false,
      options: { stack: "bugs" },
      passed: ["up", "--help"],
    });
  });
});

describe("--help", () => {
  it.each(names)("of npm run %s lists each of its options", (name) => {
    for (const flag of ["--help", "-h"]) expect(parse(name, [flag]).help).toBe(true);
    for (const option of Object.keys(shownOptions(name))) expect(helpOf(name)).toContain(`--${option}`);
    expect(helpOf(name)).not.toContain("--world");
    expect(helpOf(name)).toContain(`npm run ${scriptOf(name)} --`);
  });

  it.each(["up", "pulumi"] as const)("of npm run %s is printed without a set-up", (name) => {
    const { status, stdout, stderr } = run(name, ["--help"]);
    expect([status, stdout, stderr]).toEqual([0, `${helpOf(name)}\n`, ""]);
  });

  it("exists for every file of scripts/commands, which package.json runs", () => {
    const files = readdirSync("scripts/commands").map((file) => basename(file, ".ts"));
    expect(files.sort()).toEqual([...names].sort());
    const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
      scripts: Record<string, string>;
    };
    for (const name of names) expect(scripts[scriptOf(name)]).toBe(`node scripts/start.cjs ${name}`);
  });
});
