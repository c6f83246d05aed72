import { join } from "node:path";
import { configFromOptions } from "./cli-options.ts";
import { projectDefaults, settingOf } from "./stack-file.ts";

/** A stack's settings by config key, including defaults. */
export type Settings = (key: string) => unknown;

/** The settings of an update or a preview, whose options take precedence over the stack's file. */
export function settingsFor(stack: string, options: readonly string[]): Settings {
  const { values, file } = configFromOptions(options);
  return (key) => values.get(key) ?? settingOf(stack, key, file) ?? projectDefaults()[key];
}

/** The config keys of the images that a stack with these settings uses. */
export function imageKeys(settings: Settings): readonly string[] {
  if (settings("engine") === "kubernetes") {
    const runsState = settings("state") === "redis" && (settings("stateAddress") ?? "") === "";
    return ["ollamaImage", "gatewayImage", ...(runsState ? ["stateImage"] : [])];
  }
  return [
    "ollamaImage",
    "gatewayBaseImage",
    ...(hasComponent(settings, "edge") ? ["edgeImage"] : []),
    ...(hasComponent(settings, "monitoring") ? ["prometheusImage"] : []),
  ];
}

/** A setting that is a text; empty if it is not. */
export function textSetting(settings: Settings, key: string): string {
  const value = settings(key);
  return typeof value === "string" ? value : "";
}

/** Whether a stack on Docker has an optional component. */
export function hasComponent(settings: Settings, key: "edge" | "monitoring"): boolean {
  return (settings(key) ?? "none") !== "none";
}

/** CLI options that check the production policy; none for stacks that are not for production. */
export function rulesFor(settings: Settings): string[] {
  const isProduction = String(settings("production")) === "true";
  return isProduction ? ["--policy-pack", join(import.meta.dirname, "..", "..", "policy")] : [];
}
