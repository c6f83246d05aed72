import DOMPurify, { type Config } from "dompurify";
import { Marked, type Token } from "marked";

// What a model writes is as hostile as what it has read. HTML in it is shown as text, and what is made of Markdown goes
// through a sanitizer that knows a few elements and attributes.

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    // A picture would be loaded from another host, and tell it what a model puts into its address.
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
  ALLOWED_TAGS: [
    ...[
      "a",
      "blockquote",
      "br",
      "code",
      "del",
      "em",
      "h1",
      "h2",
      "h3",
      "h4",
      "h5",
      "h6",
      "hr",
      "li",
      "ol",
      "p",
    ],
    ...["pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"],
  ],
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

/** The blocks of a text, each as Markdown: while a response streams, all but the last stay as they are. */
export function blocksOf(text: string): string[] {
  try {
    return marked.lexer(text).map(({ raw }: Token) => raw);
  } catch {
    return [text];
  }
}

/** A block as elements that are safe to show. */
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
