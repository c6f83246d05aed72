// @vitest-environment jsdom
import { expect, it } from "vitest";
import { blocksOf, renderBlock } from "../../../console/src/markdown/render.ts";

function render(markdown: string): HTMLDivElement {
  const element = document.createElement("div");
  for (const block of blocksOf(markdown)) element.append(renderBlock(block));
  return element;
}

it.each([
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "<svg><style><img src=x onerror=alert(1)></style></svg>",
  "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror=alert(1)>'>",
  "<iframe src='javascript:alert(1)'></iframe>",
  "<a href='javascript:alert(1)'>x</a>",
  "<form action=https://example.com><input name=key></form>",
  "<style>@import 'https://example.com'</style>",
  "<base href='https://example.com/'>",
  "<meta http-equiv=refresh content='0;url=https://example.com'>",
  "<div style='background:url(https://example.com)'>x</div>",
  "[x](javascript:alert(1))",
  "[x](JaVaScRiPt:alert(1))",
  "[x](&#106;avascript:alert(1))",
  "[x](java\tscript:alert(1))",
  "[x](vbscript:x) [y](data:text/html,<script>alert(1)</script>) [z](file:///etc/passwd)",
  "<javascript:alert(1)>",
  "![x](https://example.com/pixel.png?secret)",
  '![x](https://example.com/"onerror="alert(1))',
  '![" onload="alert(1)](data:image/svg+xml,<svg/onload=alert(1)>)',
  "[![x](https://example.com/pixel.png)](https://example.com)",
  '```js"onmouseover="alert(1)\n</code><script>alert(1)</script>\n```',
  "`</code><img src=x onerror=alert(1)>`",
  "| <img src=x onerror=alert(1)> |\n| --- |\n| <script>alert(1)</script> |",
  "[x]: javascript:alert(1)\n\n[x]",
  "<details open ontoggle=alert(1)>",
  "<!--><img src=x onerror=alert(1)>-->",
  "<a id=location name=cookie>x</a>",
])("renders nothing that runs, loads or links to an unsafe URL: %s", (markdown) => {
  const element = render(markdown);
  expect(
    element.querySelectorAll(
      "script, img, svg, math, iframe, form, input, style, base, meta, details, object, link",
    ),
  ).toHaveLength(0);
  const attributes = [...element.querySelectorAll("*")].flatMap((each) => [...each.attributes]);
  const allowed = ["align", "aria-label", "class", "href", "rel", "role", "start", "tabindex", "target"];
  expect(attributes.map(({ name }) => name).filter((name) => !allowed.includes(name))).toEqual([]);
  const urls = attributes.filter(({ name }) => name === "href").map(({ value }) => value);
  expect(urls.filter((url) => !/^(https?:\/\/|mailto:)/.test(url))).toEqual([]);
});

it("shows a model's HTML as text", () => {
  expect(render("before <b>bold</b> <script>alert(1)</script>").textContent.trim()).toBe(
    "before <b>bold</b> <script>alert(1)</script>",
  );
});

it("renders Markdown as elements", () => {
  const element = render(
    "# Title\n\nSome *emphasis*, **strength** and `code`.\n\n1. one\n2. two\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n" +
      "```ts\nconst x = 1 < 2;\n```\n\n- [x] done\n",
  );
  expect([...element.children].map(({ tagName }) => tagName)).toEqual(["H1", "P", "OL", "DIV", "PRE", "UL"]);
  expect(element.querySelector("pre code.language-ts")?.textContent).toBe("const x = 1 < 2;\n");
  expect(element.querySelectorAll("td")).toHaveLength(2);
  expect(element.querySelector("ul")?.textContent).toContain("☑ done");
});

it("opens a link in a new page without a referrer", () => {
  const link = render("[a](https://example.com/x)").querySelector("a");
  expect(link?.getAttribute("rel")).toBe("noopener noreferrer nofollow");
  expect(link?.getAttribute("target")).toBe("_blank");
});

it("replaces an image by a link, which loads nothing by itself", () => {
  const element = render("![a cat](https://example.com/cat.png)");
  expect(element.querySelector("a")?.textContent).toBe("a cat");
  expect(element.querySelector("img, [src], [style]")).toBeNull();
});

it("changes only the last block while a text grows", () => {
  const text = "First.\n\nSecond.\n\n- one\n- two\n\nThird";
  const before = blocksOf(text);
  const after = blocksOf(`${text} and more.`);
  expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1));
  expect(blocksOf(text).join("")).toBe(text);
});

it("renders a text of only brackets or stars within seconds", () => {
  const before = process.cpuUsage();
  for (const piece of ["[", "*", "<", "`", "> "]) render(piece.repeat(20_000));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(30);
});
