import { join } from "node:path";
import { givenConfig } from "./cli-options.ts";
import { projectDefaults, settingOf } from "./stack-file.ts";

/** What a stack is to be configured with, by config key; its default where nothing sets it. */
export type Settings = (key: string) => unknown;

/** The settings of an update or a preview: its options go before the stack's file, as the CLI has it. */
export function settingsFor(stack: string, options: readonly string[]): Settings {
  const { values, file } = givenConfig(options);
  return (key) => values.get(key) ?? settingOf(stack, key, file) ?? projectDefaults()[key];
}

/** The CLI's options for a preview to check the rules for production; nothing for a stack that need not keep them. */
export function rulesFor(settings: Settings): string[] {
  const isProduction = String(settings("production")) === "true";
  return isProduction ? ["--policy-pack", join(import.meta.dirname, "..", "..", "policy")] : [];
}
