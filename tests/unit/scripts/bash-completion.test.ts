import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { bashCompletion } from "../../../scripts/cli/bash-completion.ts";
import { commands } from "../../../scripts/cli/command-definitions.mjs";
import { scriptOf } from "../../../scripts/cli/command-line.mjs";

type Name = keyof typeof commands;
const names = Object.keys(commands) as Name[];

/** What Bash offers for the last of the words. */
function offered(words: readonly string[], { cwd = ".", before = "" } = {}): string[] {
  const script = `${before}\n${bashCompletion()}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
    _ollama_stack
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", script, "bash", ...words], {
    encoding: "utf8",
    cwd,
  });
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line !== "");
}

it("every command is offered behind npm run, or those that begin so", () => {
  expect(offered(["npm", "run", ""])).toEqual(names.map(scriptOf));
  expect(offered(["npm", "run", "pu"]).sort()).toEqual(["pulumi", "purge"]);
});

it.each(names)("every option of %s is offered behind --, which npm needs before them", (name) => {
  expect(offered(["npm", "run", scriptOf(name), ""])).toEqual(["--"]);
  const options = Object.keys(commands[name].options).map((option) => `--${option}`);
  expect(offered(["npm", "run", scriptOf(name), "--", ""])).toEqual([...options, "--help"]);
});

it("the values of an option are offered behind it, and the stacks that have a file", () => {
  expect(offered(["npm", "run", "up", "--", "--tools", ""])).toEqual(["released", "built"]);
  expect(offered(["npm", "run", "destroy", "--", "--yes", "--models", "k"])).toEqual(["keep"]);
  const stacks = globSync("Pulumi.*.yaml").map((file) => file.split(".")[1]);
  expect(stacks).toContain("dev");
  for (const option of ["--stack", "-s"])
    expect(offered(["npm", "run", "drift", "--", option, ""]).sort()).toEqual(stacks.sort());
});

it("npm's other commands, and other projects, are left to npm", () => {
  const before = "_npm_completion() { COMPREPLY=(npm-says); }";
  expect(offered(["npm", "ins"], { before })).toEqual(["npm-says"]);
  expect(offered(["npm", "run", ""], { before, cwd: tmpdir() })).toEqual(["npm-says"]);
  expect(offered(["npm", "run", ""], { cwd: tmpdir() })).toEqual([]);
});
