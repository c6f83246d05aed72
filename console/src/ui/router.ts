import { signal } from "@preact/signals";

export const pages = {
  chat: "Try it",
  overview: "Overview",
  requests: "Requests",
  keys: "Keys",
  health: "Health",
} as const;

export type PageName = keyof typeof pages;

export const pageNames = Object.keys(pages) as PageName[];

/** The page named in the URL after "#/". */
export const page = signal<PageName>(pageIn(location.hash));

addEventListener("hashchange", () => {
  page.value = pageIn(location.hash);
});

function pageIn(hash: string): PageName {
  return pageNames.find((name) => hash === `#/${name}`) ?? "chat";
}
