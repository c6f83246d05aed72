import type { ComponentChildren } from "preact";
import { useEffect, useId, useState } from "preact/hooks";
import { messageOf, requestJson } from "../api/request.ts";

/** A section with a title. */
export function Panel({
  title,
  aside,
  children,
}: {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class="panel" aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A table that scrolls horizontally on narrow screens. */
export function Table({
  label,
  columns,
  isBounded = false,
  children,
}: {
  readonly label: string;
  readonly columns: readonly string[];
  /** Whether a long table scrolls by itself instead of extending the page. */
  readonly isBounded?: boolean;
  readonly children: ComponentChildren;
}) {
  return (
    <div
      class={isBounded ? "table-frame table-bounded" : "table-frame"}
      tabIndex={0}
      role="group"
      aria-label={label}
    >
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column === "" ? <span class="off-screen">Actions</span> : column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export type Tone = "good" | "warning" | "bad" | "neutral";

/** A status word with a matching shape and colour. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge badge-${tone}`}>{children}</span>;
}

export function ErrorNote({ message }: { readonly message: string | undefined }) {
  return message === undefined ? null : (
    <p class="error-text banner" role="alert">
      {message}
    </p>
  );
}

interface Polled<T> {
  readonly data: T | undefined;
  readonly error: string | undefined;
}

/** Polls a path while the page is visible. */
export function usePolled<T>(path: string, intervalMs: number): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ data: undefined, error: undefined });
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async () => {
      clearTimeout(timer);
      try {
        const data = await requestJson<T>(path, { signal: abort.signal });
        setState({ data, error: undefined });
      } catch (error) {
        if (abort.signal.aborted) return;
        setState(({ data }) => ({ data, error: messageOf(error) }));
      }
      if (abort.signal.aborted || document.visibilityState !== "visible") return;
      timer = setTimeout(() => void poll(), intervalMs);
    };
    const onVisible = () => {
      if (document.visibilityState === "visible") void poll();
    };
    document.addEventListener("visibilitychange", onVisible);
    void poll();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, intervalMs]);
  return state;
}
