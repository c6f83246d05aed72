import type { PageName } from "./router.ts";

/** Line drawings on a grid of 24 by 24. */
const paths = {
  chat: "M4 5h16v11H9l-5 4z",
  overview: "M4 19V9m5 10V5m5 14v-7m5 7V8",
  requests: "M4 6h16M4 12h16M4 18h10",
  keys: "M14.5 9.5a4 4 0 1 1-3-3.87A4 4 0 0 1 14.5 9.5zm-1 2 7 7m-3-3 2-2",
  health: "M3 12h4l3-7 4 14 3-7h4",
  send: "M12 19V5m-6 6 6-6 6 6",
  stop: "M7 7h10v10H7z",
  image: "M4 5h16v14H4zm0 11 5-5 4 4 3-3 4 4M15 9h.01",
  settings: "M4 7h10m4 0h2M4 17h2m4 0h10M14 4.5v5m-8 5v5",
  plus: "M12 5v14M5 12h14",
  close: "m6 6 12 12M18 6 6 18",
  history: "M12 8v4l3 2M4.5 12a7.5 7.5 0 1 0 2-5.1L4 9m0-5v5h5",
  trash: "M5 7h14M10 7V4h4v3m-7 0 1 13h8l1-13",
  chevron: "m9 6 6 6-6 6",
  code: "m8 7-5 5 5 5m8-10 5 5-5 5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-5v2m0 14v2m9-9h-2M5 12H3m15.4-6.4L17 7M7 17l-1.4 1.4m12.8 0L17 17M7 7 5.6 5.6",
  moon: "M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5z",
  system: "M4 5h16v11H4zm5 15h6m-3-4v4",
} as const satisfies Record<PageName, string> & Record<string, string>;

type IconName = keyof typeof paths;

/** A decorative icon next to a text, or in a labelled control. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path class="logo-top" d="M7 12.5 16 8l9 4.5-9 4.5z" />
      <path d="m7 17 9 4.5 9-4.5M7 21l9 4.5 9-4.5" />
    </svg>
  );
}
