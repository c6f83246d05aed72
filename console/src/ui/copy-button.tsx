import { useEffect, useState } from "preact/hooks";
import { copyText } from "../lib/clipboard.ts";

/** Copies a text and confirms it. */
export function CopyButton({ text, label }: { readonly text: () => string; readonly label: string }) {
  const [outcome, setOutcome] = useState<string>();
  useEffect(() => {
    if (outcome === undefined) return;
    const timer = setTimeout(() => {
      setOutcome(undefined);
    }, 1500);
    return () => {
      clearTimeout(timer);
    };
  }, [outcome]);
  const copy = () => {
    void copyText(text()).then((isCopied) => {
      setOutcome(isCopied ? "Copied" : "Copying failed");
    });
  };
  return (
    <button type="button" class="quiet small" onClick={copy}>
      <span aria-live="polite">{outcome ?? label}</span>
    </button>
  );
}
