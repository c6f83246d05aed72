import { expect, it } from "vitest";
import { configFromOptions, previewOptions } from "../../../scripts/stack/cli-options.ts";

it.each([
  ["an option and its value", ["-c", "edge=none"], ["--config=edge=none"]],
  ["in one", ["-cedge=none"], ["--config=edge=none"]],
  ["with a sign between", ["-c=edge=none"], ["--config=edge=none"]],
  ["after another letter", ["-dc", "edge=none"], ["--config=edge=none"]],
  ["in full", ["--config", "edge=none"], ["--config=edge=none"]],
  ["in full, in one", ["--config=edge=none"], ["--config=edge=none"]],
  ["a value with blanks and signs", ["-c", "a=b c=-d"], ["--config=a=b c=-d"]],
  ["several", ["-c", "a=1", "--config", "b=2"], ["--config=a=1", "--config=b=2"]],
  ["a path", ["--config-path", "-c", "models[0].name=m"], ["--config-path", "--config=models[0].name=m"]],
  ["no path", ["--config-path=false"], ["--config-path=false"]],
  ["another file", ["--config-file", "other.yaml"], ["--config-file=other.yaml"]],
  [
    "rules",
    ["--policy-pack", "rules", "--policy-pack-config=rules.json"],
    ["--policy-pack=rules", "--policy-pack-config=rules.json"],
  ],
  ["one without its value, for the CLI to refuse", ["--config"], ["--config"]],
])("a preview before an update gets the config that is given for the update: %s", (_how, given, passed) => {
  expect(previewOptions(given)).toEqual(passed);
});

it.each([
  ["options of an update alone", ["--continue-on-error", "--strict", "-f", "-y"]],
  [
    "how it is shown, and done",
    ["--diff", "--refresh", "-r", "-p4", "--parallel", "4", "-v=3", "--json", "--constructor"],
  ],
  ["a message that reads as an option", ["-m", "-c", "--message", "--config-path", "-mcat"]],
  ["what follows the options", ["--", "-c", "edge=none"]],
])("and nothing else: %s", (_what, given) => {
  expect(previewOptions(given)).toEqual([]);
});

it.each([
  ["a value", ["-c", "edge=none"], { edge: "none" }],
  ["a value with the project's name", ["--config=ollama-stack:edge=none"], { edge: "none" }],
  ["a value with signs and lines", ["-c", "edge=a=b\nc"], { edge: "a=b\nc" }],
  [
    "the last of several",
    ["-c", "edge=acme", "-cproduction=true", "-c=edge=none"],
    { edge: "none", production: "true" },
  ],
  ["nothing", ["-m", "edge=none", "--", "-c", "edge=none"], {}],
])("what the options of an update set is known before it: %s", (_what, given, values) => {
  expect(Object.fromEntries(configFromOptions(given).values)).toEqual(values);
});
