import { expect, it } from "vitest";
import { configFromOptions, previewOptions } from "../../../scripts/stack/cli-options.ts";

it.each([
  ["an option and its value", ["-c", "edge=none"], ["--config=edge=none"]],
  ["joined to its value", ["-cedge=none"], ["--config=edge=none"]],
  ["joined by an equals sign", ["-c=edge=none"], ["--config=edge=none"]],
  ["after another short option", ["-dc", "edge=none"], ["--config=edge=none"]],
  ["the long form", ["--config", "edge=none"], ["--config=edge=none"]],
  ["the long form with an equals sign", ["--config=edge=none"], ["--config=edge=none"]],
  ["a value with spaces and equals signs", ["-c", "a=b c=-d"], ["--config=a=b c=-d"]],
  ["several", ["-c", "a=1", "--config", "b=2"], ["--config=a=1", "--config=b=2"]],
  ["a path", ["--config-path", "-c", "models[0].name=m"], ["--config-path", "--config=models[0].name=m"]],
  ["no path", ["--config-path=false"], ["--config-path=false"]],
  ["another file", ["--config-file", "other.yaml"], ["--config-file=other.yaml"]],
  [
    "policy packs",
    ["--policy-pack", "rules", "--policy-pack-config=rules.json"],
    ["--policy-pack=rules", "--policy-pack-config=rules.json"],
  ],
  ["an option without a value, for the CLI to reject", ["--config"], ["--config"]],
])("passes the config options of an update to its preview: %s", (_how, args, passed) => {
  expect(previewOptions(args)).toEqual(passed);
});

it.each([
  ["options of updates only", ["--continue-on-error", "--strict", "-f", "-y"]],
  [
    "options for display and execution",
    ["--diff", "--refresh", "-r", "-p4", "--parallel", "4", "-v=3", "--json", "--constructor"],
  ],
  ["a message that looks like an option", ["-m", "-c", "--message", "--config-path", "-mcat"]],
  ["arguments after the options", ["--", "-c", "edge=none"]],
])("passes nothing else to the preview: %s", (_what, args) => {
  expect(previewOptions(args)).toEqual([]);
});

it.each([
  ["a value", ["-c", "edge=none"], { edge: "none" }],
  ["a value with the project's name", ["--config=ollama-stack:edge=none"], { edge: "none" }],
  ["a value with equals signs and line breaks", ["-c", "edge=a=b\nc"], { edge: "a=b\nc" }],
  [
    "the last of several values",
    ["-c", "edge=acme", "-cproduction=true", "-c=edge=none"],
    { edge: "none", production: "true" },
  ],
  ["nothing", ["-m", "edge=none", "--", "-c", "edge=none"], {}],
])("reads config values from the options of an update: %s", (_what, args, values) => {
  expect(Object.fromEntries(configFromOptions(args).values)).toEqual(values);
});
