import DOMPurify, { type Config } from "dompurify";
import { Marked, type Token } from "marked";

// A model's output is untrusted. HTML in it is shown as text, and the rendered Markdown is sanitized to a few elements
// and attributes.

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    // Loading an image would send data chosen by the model to another host.
    image({ href, text }) {
      const label = escapeHtml(text === "" ? href : text);
      return isWebAddress(href) ? `<a href="${escapeHtml(href)}">${label}</a>` : label;
    },
    link({ href, tokens }) {
      const label = this.parser.parseInline(tokens);
      return isWebAddress(href) ? `<a href="${escapeHtml(href)}">${label}</a>` : label;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

const ALLOWED: Config & { RETURN_DOM_FRAGMENT: true } = {
  ALLOWED_TAGS:
    "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre strong table tbody td th thead tr ul".split(
      " ",
    ),
  ALLOWED_ATTR: ["href", "start", "class", "align"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

function isWebAddress(href: string): boolean {
  return /^(?:https?|mailto):/i.test(href);
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${String(char.charCodeAt(0))};`);
}

/** Splits a text into blocks of Markdown: while streaming, only the last one changes. */
export function blocksOf(text: string): string[] {
  try {
    return marked.lexer(text).map(({ raw }: Token) => raw);
  } catch {
    return [text];
  }
}

/** Renders a block to sanitized elements. */
export function renderBlock(markdown: string): DocumentFragment {
  const html = toHtml(markdown);
  const fragment = DOMPurify.sanitize(html, ALLOWED);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const table of fragment.querySelectorAll("table")) {
    const frame = document.createElement("div");
    frame.className = "table-frame";
    frame.tabIndex = 0;
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Table");
    table.replaceWith(frame);
    frame.append(table);
  }
  return fragment;
}

function toHtml(markdown: string): string {
  try {
    return marked.parse(markdown, { async: false });
  } catch {
    return `<p>${escapeHtml(markdown)}</p>`;
  }
}
