import { expect, it, onTestFinished, vi } from "vitest";
import type { ChatMessage } from "../../../console/src/chat/conversation.ts";

type Tab = typeof import("../../../console/src/chat/store.ts");

const question: ChatMessage = { role: "user", text: "Hi" };
const streaming: ChatMessage = { role: "assistant", text: "", state: "streaming" };

/** A browser's storage, and the events of its changes, which reach the tabs on `deliver()`. */
function startBrowser() {
  const items = new Map<string, string>();
  const events = new EventTarget();
  const browser = {
    quota: Infinity,
    writes: 0,
    async openTab(): Promise<Tab> {
      vi.resetModules();
      const tab = await import("../../../console/src/chat/store.ts");
      tab.persistChats();
      return tab;
    },
    deliver(): void {
      const key = "ollama-stack-chats";
      for (let writes = -1; writes !== browser.writes;) {
        if (browser.writes > 100) throw new Error("the tabs overwrite each other endlessly");
        ({ writes } = browser);
        events.dispatchEvent(Object.assign(new Event("storage"), { key }));
      }
    },
  };
  vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
  vi.stubGlobal("localStorage", {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => {
      if (value.length > browser.quota) throw new Error("QuotaExceededError");
      if (items.get(name) !== value) browser.writes += 1;
      items.set(name, value);
    },
  });
  let now = 1000;
  vi.spyOn(Date, "now").mockImplementation(() => (now += 1));
  onTestFinished(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });
  return browser;
}

function startChat(tab: Tab, ...messages: ChatMessage[]): string {
  tab.newChat();
  return tab.setMessages(messages);
}

const idsOf = (tab: Tab) => tab.conversations.value.map(({ id }) => id);

it.each([true, false])("two tabs keep each other's chats (events arrive: %s)", async (eventsArrive) => {
  const browser = startBrowser();
  const [one, two] = [await browser.openTab(), await browser.openTab()];
  const first = startChat(one, question);
  if (eventsArrive) browser.deliver();
  const second = startChat(two, question);
  if (eventsArrive) browser.deliver();
  const third = startChat(one, question);
  expect(idsOf(await browser.openTab())).toEqual([third, second, first]);
  browser.deliver();
  for (const tab of [one, two]) expect(idsOf(tab)).toEqual([third, second, first]);
});

it("chats that one tab deletes or continues change in the other", async () => {
  const browser = startBrowser();
  const one = await browser.openTab();
  const [kept, deleted] = [startChat(one, question), startChat(one, question)];
  const two = await browser.openTab();
  two.deleteChat(deleted);
  two.setMessages([question, { role: "assistant", text: "Hello", state: "complete" }], kept);
  browser.deliver();
  expect(idsOf(one)).toEqual([kept]);
  expect(one.conversations.value[0]?.messages).toHaveLength(2);
  one.deleteAllChats();
  browser.deliver();
  expect(idsOf(two)).toEqual([]);
  expect(idsOf(await browser.openTab())).toEqual([]);
});

it("a streaming response survives what another tab does meanwhile", async () => {
  const browser = startBrowser();
  const one = await browser.openTab();
  const id = startChat(one, question);
  const two = await browser.openTab();
  one.setMessages([question, streaming], id);
  one.changeLastMessage(id, { text: "Hel" });
  two.deleteAllChats();
  const other = startChat(two, question);
  browser.deliver();
  one.changeLastMessage(id, { text: "Hello", state: "complete" });
  browser.deliver();
  for (const tab of [one, two]) {
    expect(idsOf(tab)).toEqual([id, other]);
    expect(tab.conversations.value[0]?.messages[1]?.text).toBe("Hello");
  }
});

it("images stay in the tab that sent them, though they are not stored", async () => {
  const browser = startBrowser();
  const [one, two] = [await browser.openTab(), await browser.openTab()];
  startChat(one, { role: "user", text: "", images: ["data:image/png;base64,AA=="] });
  browser.deliver();
  startChat(two, question);
  browser.deliver();
  expect(one.conversations.value[1]?.messages[0]?.images).toHaveLength(1);
  expect(two.conversations.value[1]?.messages[0]).toEqual({ role: "user", text: "(images)" });
});

it("a full storage costs a tab only what it cannot store", async () => {
  const browser = startBrowser();
  const one = await browser.openTab();
  const first = startChat(one, question);
  browser.quota = 150;
  const second = startChat(one, question);
  expect(idsOf(await browser.openTab())).toEqual([second]);
  browser.deliver();
  expect(idsOf(one)).toEqual([second, first]);
});
