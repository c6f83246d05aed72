import { appendFileSync } from "node:fs";

/** A request from the world to the network. */
export type Entry =
  | { readonly kind: "dns"; readonly name: string; readonly found: boolean; readonly expected: boolean }
  | {
      readonly kind: "request";
      readonly host: string;
      readonly method: string;
      readonly path: string;
      readonly status: number;
      readonly agent: string;
      /** Whether the response ended before it was complete. */
      readonly cut: boolean;
    }
  | { readonly kind: "proxy"; readonly target: string; readonly allowed: boolean }
  | { readonly kind: "error"; readonly message: string };

export type RequestEntry = Extract<Entry, { readonly kind: "request" }>;

export type Journal = (entry: Entry) => void;

export function openJournal(file: string): Journal {
  return (entry) => {
    appendFileSync(file, `${JSON.stringify(entry)}\n`);
  };
}
