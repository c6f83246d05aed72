import { useLayoutEffect, useRef } from "preact/hooks";
import { copyText } from "../lib/clipboard.ts";
import { memo } from "../ui/memo.ts";
import { blocksOf, renderBlock } from "./render.ts";

/** Renders a model's text as Markdown. */
export function Markdown({ text }: { readonly text: string }) {
  return (
    <div class="markdown">
      {blocksOf(text).map((block, index) => (
        <Block key={index} markdown={block} />
      ))}
    </div>
  );
}

const Block = memo(({ markdown }: { readonly markdown: string }) => {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const fragment = renderBlock(markdown);
    for (const code of fragment.querySelectorAll("pre")) frameCode(code);
    element.current?.replaceChildren(fragment);
  }, [markdown]);
  return <div ref={element} />;
});

/** Adds the language and a copy button to a code block. */
function frameCode(code: HTMLPreElement): void {
  const frame = document.createElement("div");
  frame.className = "code-frame";
  const bar = document.createElement("div");
  bar.className = "code-bar";
  const language = document.createElement("span");
  language.textContent = /language-([\w+#.-]+)/.exec(code.firstElementChild?.className ?? "")?.[1] ?? "code";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet small";
  button.textContent = "Copy";
  button.addEventListener("click", () => {
    void copyText(code.textContent).then((isCopied) => {
      button.textContent = isCopied ? "Copied" : "Copying failed";
      setTimeout(() => {
        button.textContent = "Copy";
      }, 1500);
    });
  });
  bar.append(language, button);
  code.tabIndex = 0;
  code.replaceWith(frame);
  frame.append(bar, code);
}
