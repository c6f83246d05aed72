import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, chromium, type Page } from "playwright-core";
import { fetchBrowser } from "./browser-program.ts";

/** Folder for screenshots, which git ignores. */
const PICTURES = ".screenshots";

const sizes = {
  desktop: { width: 1280, height: 800 },
  tablet: { width: 820, height: 1180 },
  phone: { width: 390, height: 844 },
} as const;

// axe-core omits the rules that WCAG 2.2 added unless they are named.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

// Without `resultTypes`, axe-core also describes every element that passed a rule.
const OPTIONS: Parameters<AxeBuilder["options"]>[0] = {
  runOnly: { type: "tag", values: RULES },
  resultTypes: ["violations"],
};

interface Look {
  readonly size?: keyof typeof sizes;
  readonly theme?: "light" | "dark";
  /** The gateway's address, instead of the one for which the browser was started. */
  readonly root?: string;
}

/** A real browser that opens a console, and records everything that a page must not do. */
export class ConsoleBrowser {
  /** Requests to other hosts, violations of the Content-Security-Policy, and errors of scripts. */
  readonly problems: string[] = [];
  readonly #browser: Browser;
  readonly #root: string;

  private constructor(browser: Browser, root: string) {
    this.#browser = browser;
    this.#root = root;
  }

  static async start(root: string): Promise<ConsoleBrowser> {
    const executablePath = await fetchBrowser();
    // Chromium's sandbox does not work for root.
    const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    return new ConsoleBrowser(await chromium.launch({ executablePath, args }), root);
  }

  async stop(): Promise<void> {
    await this.#browser.close();
  }

  /** Opens the gateway's address in a new browser context. */
  async open({ size = "desktop", theme = "light", root = this.#root }: Look = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: sizes[size], colorScheme: theme });
    const page = await context.newPage();
    // The stack shares the machine's cores with the browser.
    page.setDefaultTimeout(60_000);
    page.on("request", (request) => {
      const url = request.url();
      if (!/^(data|blob):/.test(url) && !url.startsWith(`${root}/`)) this.problems.push(`request: ${url}`);
    });
    page.on("pageerror", (error) => {
      this.problems.push(`script: ${error.message}`);
    });
    page.on("console", (message) => {
      // Some tests provoke error responses and broken connections.
      if (message.type() !== "error" || message.text().startsWith("Failed to load resource")) return;
      this.problems.push(`console: ${message.text()}`);
    });
    await page.goto(root);
    return page;
  }

  async signIn(key: string, look: Look = {}): Promise<Page> {
    const page = await this.open(look);
    await enterKey(page, key);
    await page.getByRole("navigation", { name: "Pages" }).waitFor();
    return page;
  }
}

export async function enterKey(page: Page, key: string): Promise<void> {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function show(page: Page, name: string): Promise<void> {
  await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name }).click();
}

/** Sends a message on the page "Try it". */
export async function chat(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  // Nothing can be sent before the list of models has arrived.
  await page.getByRole("button", { name: "Send", exact: true, disabled: false }).waitFor();
  await page.keyboard.press("Enter");
}

/**
 * The violations that axe-core finds on a page without frames. Only for frames does axe-core need a second page in which
 * it merges results ("legacy mode" runs without), and only once per document its source: both take longer than the rules.
 */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  if (page.frames().length > 1) throw new Error("axe-core is run without frames, but the page has some");
  const isLoaded = await page.evaluate<boolean>("typeof axe === 'object'");
  const builder = new AxeBuilder({ page, ...(isLoaded ? { axeSource: "undefined" } : {}) });
  const { violations } = await builder.setLegacyMode().options(OPTIONS).analyze();
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(", ")}`);
}

export async function takePicture(page: Page, name: string): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), animations: "disabled" });
}
