import { effect, signal } from "@preact/signals";
import { load, save } from "../lib/storage.ts";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const NAME = "ollama-stack-theme";
const storage = () => localStorage;

export const theme = signal<Theme>(load(storage, NAME, isTheme) ?? "system");

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsDark = signal(prefersDark.matches);

/** Whether the page is currently dark. */
export const isDark = (): boolean => (theme.value === "system" ? systemIsDark.value : theme.value === "dark");

export function followTheme(): void {
  prefersDark.addEventListener("change", ({ matches }) => {
    systemIsDark.value = matches;
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
    save(storage, NAME, theme.value);
  });
}

function isTheme(value: unknown): value is Theme {
  return (themes as readonly unknown[]).includes(value);
}
