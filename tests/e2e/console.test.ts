import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeConsole } from "../../console/build.ts";
import { docker } from "../../engine/docker-cli.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import {
  accessibilityProblems,
  chat,
  ConsoleBrowser,
  enterKey,
  show,
  takePicture,
} from "../../test-support/browser/console-browser.ts";
import { last, thought, token } from "../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";
import { Project } from "../../test-support/stack/project.ts";
import { overloaded } from "./overloaded.ts";

const gatewayPort = 18492;
const root = `http://127.0.0.1:${String(gatewayPort)}`;
const project = new Project({ stack: "console", ollamaPort: 18493, gatewayPort });
const [ada, bob] = [newKey("ada", ["admin"]), newKey("bob", ["requests=6000"])];
const secondServer = "ollama-stack-console-ollama-2";
const gatewayContainer = "ollama-stack-console-gateway";
const QUEUE_LIMIT = 4;
const SLOTS = 2;
const PROMPT = "Write a JavaScript function that adds two numbers.";

let browser: ConsoleBrowser;
let model = "";

beforeAll(async () => {
  project.configure({
    ollamaReplicas: 2,
    ollamaParallel: 1,
    ollamaContextLength: 1024,
    // Two servers whose threads compete for the same cores are many times slower than one server.
    models: (project.configured("models") as object[]).map((each) => ({
      ...each,
      parameters: { num_thread: 1 },
    })),
    gatewayApiKeys: [ada.line, bob.line],
    gatewayEnvironment: { QUEUE_LIMIT },
  });
  await project.pulumi("stack", "init", project.stack);
  const [, opened] = await Promise.all([
    project.pulumi("up", "--yes", "--skip-preview"),
    ConsoleBrowser.start(root),
  ]);
  browser = opened;
  model = (await project.outputs()).installedModels[0]?.model ?? "";
});
afterAll(async () => {
  await browser.stop();
  project.discard();
});

describe("the console of a stack", () => {
  it("signs in with a key, which stays in the tab, and shows why it rejects another key", async () => {
    const page = await browser.open();
    expect(page.url()).toBe(`${root}/console/`);
    await enterKey(page, "sk-wrong");
    await page.getByRole("alert").getByText("key").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await enterKey(page, bob.key);
    await page.getByText("bob", { exact: true }).waitFor();
    expect(page.url()).not.toContain(bob.key);
    expect(await page.context().cookies()).toEqual([]);
    expect(await page.evaluate("JSON.stringify(localStorage)")).not.toContain(bob.key);
    await page.reload();
    await page.getByText("bob", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").waitFor();
    expect(await page.evaluate("JSON.stringify(sessionStorage)")).toBe("{}");
    await page.context().close();
  });

  it("chats with the model, shows statistics, and keeps the chat across a reload", async () => {
    const page = await browser.signIn(bob.key);
    await page.getByRole("option", { name: model }).first().waitFor({ state: "attached" });
    // This model has no vision.
    expect(await page.getByRole("button", { name: "Add images" }).count()).toBe(0);
    await page.getByRole("button", { name: "Settings", exact: true }).click();
    await page.getByLabel("Temperature").fill("0");
    await page.getByLabel("Maximum tokens").fill("40");
    await page.keyboard.press("Escape");
    await chat(page, PROMPT);
    const stats = page.getByRole("list", { name: "Statistics of the response" });
    await stats.getByText(/^[\d.,]+ tokens\/s$/).waitFor();
    await stats.getByText(/^first token [\d.]+ (ms|s)$/).waitFor();
    await takePicture(page, "chat-desktop-light");
    await page.getByRole("button", { name: "Code", exact: true }).click();
    const code = page.getByRole("region", { name: "Code in curl" });
    expect(await code.textContent()).toContain(PROMPT);
    await page.keyboard.press("Escape");

    await page.reload();
    await stats.waitFor();
    expect(await page.getByText(PROMPT).count()).toBe(1);
    await page.context().close();
  });

  it("shows an overloaded queue to an admin, who cancels a queued request", async () => {
    const page = await browser.signIn(ada.key);
    await show(page, "Overview");
    const overload = { root, model, key: bob.key, clients: SLOTS + QUEUE_LIMIT + 1 };
    const ended = await overloaded(overload, async () => {
      await page.getByText(`${String(QUEUE_LIMIT)} of ${String(QUEUE_LIMIT)}`).waitFor();
      await takePicture(page, "overloaded-desktop-light");
      // The last one waits longest; the first may get its slot before it is cancelled.
      const waiting = page.getByRole("row").filter({ hasText: "queued" }).last();
      await waiting.getByRole("button", { name: /^Cancel/ }).click();
      await show(page, "Requests");
      await page.getByRole("row").filter({ hasText: "cancelled" }).first().waitFor();
      await page.getByLabel("Status").selectOption("queue_full");
      // Other requests are listed, too, until the filter takes effect.
      const rejected = page.getByRole("row").filter({ hasText: "queue_full" }).first();
      await rejected.getByRole("button", { name: /^Details/ }).click();
      await page.getByText(/^queue_full: /).waitFor();
    });
    expect(ended.filter(({ text }) => text.includes("cancelled"))).toHaveLength(1);
    expect(ended.some(({ status, text }) => status === 503 && text.includes("queue_full"))).toBe(true);
    await page.context().close();
  });

  it("shows a key without the admin flag only its own data", async () => {
    const page = await browser.signIn(bob.key);
    await show(page, "Requests");
    await page.getByRole("row").filter({ hasText: "bob" }).first().waitFor();
    expect(await page.getByLabel("Key").locator("option").allTextContents()).toEqual(["all", "bob"]);
    await show(page, "Keys");
    await page.getByRole("row").filter({ hasText: "bob" }).first().waitFor();
    expect(await page.getByText("ada").count()).toBe(0);
    await show(page, "Overview");
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText(model).first().waitFor();
    expect(await page.getByText(/ollama-2|Servers/).count()).toBe(0);
    await page.context().close();
  });

  it("shows within five seconds that a server has died, and shows when it is back", async () => {
    const page = await browser.signIn(ada.key);
    await show(page, "Overview");
    await page.getByText("2 of 2", { exact: true }).first().waitFor();
    await docker(["container", "kill", secondServer]);
    const died = Date.now();
    await page.getByText("unreachable", { exact: true }).waitFor();
    expect(Date.now() - died).toBeLessThan(5000);
    await docker(["container", "start", secondServer]);
    await page.getByText("unreachable", { exact: true }).waitFor({ state: "detached" });
    await page.context().close();
  });

  // Colours differ by theme, the rest by size.
  it.each([
    { theme: "light", sizes: ["desktop", "tablet", "phone"] },
    { theme: "dark", sizes: ["desktop"] },
  ] as const)("passes axe-core in the $theme theme on $sizes", async ({ theme, sizes }) => {
    const problems: string[] = [];
    for (const size of sizes) {
      const page = await browser.signIn(ada.key, { size, theme });
      for (const name of ["Try it", "Overview", "Requests", "Keys", "Health"]) {
        await show(page, name);
        await page.getByRole("heading", { level: 1 }).waitFor();
        const hasData = name === "Try it" ? page.getByLabel("Model") : page.getByText(/ada|ok|live/).first();
        await hasData.waitFor();
        if (name === "Requests")
          await page
            .getByRole("button", { name: /^Details/ })
            .first()
            .click();
        problems.push(...(await accessibilityProblems(page)).map((each) => `${name}, ${size}: ${each}`));
        const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
        if (Number(overflow) > 0) problems.push(`${name}, ${size}: wider than the window`);
        await takePicture(page, `${name.toLowerCase().replace(" ", "-")}-${size}-${theme}`);
      }
      await show(page, "Try it");
      for (const name of ["Settings", "Code", "History"]) {
        await page.getByRole("button", { name, exact: true }).click();
        await page.getByRole("dialog").waitFor();
        problems.push(...(await accessibilityProblems(page)).map((each) => `${name}, ${size}: ${each}`));
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
      await page.context().close();
    }
    expect(problems).toEqual([]);
  });

  it("shows that its gateway is unreachable, and is live again when the gateway is back", async () => {
    const page = await browser.signIn(ada.key);
    await show(page, "Overview");
    await page.getByText("live", { exact: true }).waitFor();
    await docker(["container", "stop", gatewayContainer]);
    await page.getByText("not live", { exact: true }).waitFor();
    await docker(["container", "start", gatewayContainer]);
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("2 of 2", { exact: true }).first().waitFor();
    await page.context().close();
  });
});

// For what a stack's small model cannot do: a gateway in this process, with a fake Ollama.
describe("the console of a gateway", () => {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-console-"));
  beforeAll(() => {
    writeConsole(process.cwd(), folder);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it("sends a picture to a model with vision, and keeps the thinking collapsed", async () => {
    const fake = await startFake();
    fake.capabilities = ["completion", "vision", "thinking"];
    const { promise: thinkingEnded, resolve: endThinking } = Promise.withResolvers<undefined>();
    fake.respondWith(
      thought("Something is drawn here."),
      { until: thinkingEnded },
      token("It is a logo."),
      last({ eval_count: 9 }),
    );
    const gateway = await startGateway(fake, { CONSOLE_FOLDER: folder });
    const page = await browser.open({ root: gateway.url });
    const picture = await page.getByRole("link", { name: "ollamastack" }).screenshot();
    await page
      .getByLabel("Images", { exact: true })
      .setInputFiles({ name: "logo.png", mimeType: "image/png", buffer: picture });
    await page.getByAltText("Picture 1 to send").waitFor();
    await chat(page, "What is this?");
    await page.getByText("Thinking...", { exact: true }).waitFor();
    expect(await page.getByText("Something is drawn here.").isVisible()).toBe(false);
    endThinking(undefined);
    await page.getByText("It is a logo.").waitFor();
    await page.getByText(/^total /).waitFor();
    expect(await page.getByText("Something is drawn here.").isVisible()).toBe(false);
    await page.getByText("Thinking", { exact: true }).click();
    await page.getByText("Something is drawn here.").waitFor();
    await page.getByAltText("Picture 1 that you sent").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await takePicture(page, "picture-and-thinking-desktop-light");
    const { body } = await fake.conversation();
    // A JPEG, whatever the format of the file.
    expect(body.messages).toEqual([
      { role: "user", content: "What is this?", images: [expect.stringMatching(/^\/9j\//)] },
    ]);

    await page.reload();
    await page.getByText("What is this?").waitFor();
    expect(await page.getByAltText("Picture 1 that you sent").count()).toBe(0);
    await page.context().close();
  });

  it("stops a response and the model", async () => {
    const fake = await startFake();
    fake.respondWith(token("One, two, three"), "hang");
    const gateway = await startGateway(fake, { CONSOLE_FOLDER: folder });
    const page = await browser.open({ root: gateway.url });
    await chat(page, "Count to a million.");
    await page.getByText("One, two, three").waitFor();
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("You stopped the response.").waitFor();
    expect(await (await fake.conversation()).brokenOff).toBe(true);
    await page.reload();
    await page.getByText("You stopped the response.").waitFor();
    await page.getByText("One, two, three").waitFor();
    await page.context().close();
  });

  it("has only the chat if the admin API is off", async () => {
    const fake = await startFake();
    const environment = { CONSOLE_FOLDER: folder, ADMIN_API: "off", API_KEYS: ada.line };
    const gateway = await startGateway(fake, environment);
    const page = await browser.signIn(ada.key, { root: gateway.url });
    const pages = page.getByRole("navigation", { name: "Pages" }).getByRole("link");
    expect(await pages.allTextContents()).toEqual(["Try it"]);
    await chat(page, "Hi");
    await page.getByText("Hello there.").waitFor();
    await page.goto(`${gateway.url}/console/#/overview`);
    await page.reload();
    await page.getByText("Hello there.").waitFor();
    expect(await page.getByRole("heading", { name: "Overview" }).count()).toBe(0);
    await page.context().close();
  });

  it("sends no request to another host, violates no policy and throws no error", () => {
    expect(browser.problems).toEqual([]);
  });
});
