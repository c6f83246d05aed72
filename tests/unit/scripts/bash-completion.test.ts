import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { bashCompletion } from "../../../scripts/cli/bash-completion.ts";
import { commands } from "../../../scripts/cli/command-definitions.mjs";
import { scriptOf, shownOptions } from "../../../scripts/cli/command-line.mjs";

type Name = keyof typeof commands;
const names = Object.keys(commands) as Name[];

/** The completions that Bash offers for the last word. */
function completionsOf(words: readonly string[], { cwd = ".", before = "" } = {}): string[] {
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

it("completes npm run with all commands, or those with the typed prefix", () => {
  expect(completionsOf(["npm", "run", ""])).toEqual(names.map(scriptOf));
  expect(completionsOf(["npm", "run", "pu"]).sort()).toEqual(["pulumi", "purge"]);
});

it.each(names)("completes %s with the -- that npm requires, then with each option", (name) => {
  expect(completionsOf(["npm", "run", scriptOf(name), ""])).toEqual(["--"]);
  const options = Object.keys(shownOptions(name)).map((option) => `--${option}`);
  expect(completionsOf(["npm", "run", scriptOf(name), "--", ""])).toEqual([...options, "--help"]);
});

it("completes an option with its values, and --stack with the stacks that have a file", () => {
  expect(completionsOf(["npm", "run", "up", "--", "--tools", ""])).toEqual(["released", "built"]);
  expect(completionsOf(["npm", "run", "destroy", "--", "--yes", "--models", "k"])).toEqual(["keep"]);
  const stacks = globSync("Pulumi.*.yaml").map((file) => file.split(".")[1]);
  expect(stacks).toContain("dev");
  for (const option of ["--stack", "-s"])
    expect(completionsOf(["npm", "run", "drift", "--", option, ""]).sort()).toEqual(stacks.sort());
});

it("leaves npm's other commands and other projects to npm's completion", () => {
  const before = "_npm_completion() { COMPREPLY=(from-npm); }";
  expect(completionsOf(["npm", "ins"], { before })).toEqual(["from-npm"]);
  expect(completionsOf(["npm", "run", ""], { before, cwd: tmpdir() })).toEqual(["from-npm"]);
  expect(completionsOf(["npm", "run", ""], { cwd: tmpdir() })).toEqual([]);
});
