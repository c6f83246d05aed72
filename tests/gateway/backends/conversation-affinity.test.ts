import { expect, test } from "vitest";
import type { Backend } from "../../../gateway/src/backends/backend.ts";
import { ConversationAffinity } from "../../../gateway/src/backends/conversation-affinity.ts";
import { conversationOf } from "../../../gateway/src/scheduling/conversation.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { metric, readEvents } from "../../../test-support/gateway/gateway-harness.ts";
import { count, startTwo } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";
const conversation = (...texts: string[]) => ({
  model: "m",
  messages: texts.map((content, n) => ({ role: n % 2 === 0 ? "user" : "assistant", content })),
});

test("keeps a conversation on its server although another one is equally busy", async () => {
  const two = await startTwo((left) => {
    left.respondWith(token("x"), last());
  });
  // The stream occupies the first of two idle servers, so the next conversation starts on the second.
  two.left.respondWith(token("x"), "hang");
  const stream = await two.gateway.post(chat, { ...conversation("hold"), stream: true });
  expect((await two.gateway.post(chat, conversation("Hi"))).status).toBe(200);
  expect(count(two)).toEqual([1, 1]);
  await stream.body?.cancel();
  await metric(two.gateway.url, "gateway_requests_in_flight 0");
  two.left.respondWith(last({ message: { content: "x" } }));
  for (const texts of [
    ["Hi", "Hello", "How are you?"],
    ["Hi", "Hello", "How are you?", "Fine", "Good"],
  ]) {
    expect((await two.gateway.post(chat, conversation(...texts))).status).toBe(200);
  }
  expect(count(two)).toEqual([1, 3]);
  expect((await two.gateway.post(chat, conversation("Something else"))).status).toBe(200);
  expect(count(two)).toEqual([2, 3]);
});

test("a conversation does not wait for its server while another has a free slot", async () => {
  const two = await startTwo((left) => {
    left.respondWith(token("x"), last());
  });
  const first = await two.gateway.post(chat, { ...conversation("Hi"), stream: true });
  await readEvents(first);
  expect(count(two)).toEqual([1, 0]);
  two.left.respondWith(token("x"), "hang");
  const stream = await two.gateway.post(chat, { ...conversation("Hi", "Hello", "Wait"), stream: true });
  expect(count(two)).toEqual([2, 0]);
  expect((await two.gateway.post(chat, conversation("Hi", "Hello", "Go"))).status).toBe(200);
  expect(count(two)).toEqual([2, 1]);
  await stream.body?.cancel();
});

test("remembers a bounded number of recent conversations and forgets those of removed servers", () => {
  const affinity = new ConversationAffinity();
  const [kept, removed] = [{ name: "kept" }, { name: "removed" }] as unknown as [Backend, Backend];
  affinity.remember("long ago", kept);
  for (let n = 0; n < 20_000; n += 1) affinity.remember(`conversation ${n}`, n === 19_998 ? removed : kept);
  expect(affinity.serverOf("long ago")).toBeUndefined();
  for (const n of [12_000, 19_999]) expect(affinity.serverOf(`conversation ${n}`)).toBe(kept);
  expect(affinity.serverOf("conversation 19998")).toBe(removed);
  affinity.retain(new Set([kept]));
  expect(affinity.serverOf("conversation 19998")).toBeUndefined();
  expect(affinity.serverOf("conversation 19999")).toBe(kept);
});

const system = { role: "system", content: "Be short." };
const user = (content: string) => ({ role: "user", content });

test("identifies a conversation by what stays the same from turn to turn", () => {
  const first = conversationOf({ model: "m", messages: [system, user("Hi")] });
  const further = [system, user("Hi"), { role: "assistant", content: "Hello" }, user("Bye")];
  expect(conversationOf({ model: "m", messages: further })).toBe(first);
  expect(first).toHaveLength(64);
  for (const other of [
    { model: "n", messages: [system, user("Hi")] },
    { model: "m", messages: [system, user("Ho")] },
    { model: "m", messages: [user("Hi")] },
  ]) {
    expect(conversationOf(other)).not.toBe(first);
  }
  for (const none of [{ model: "m", prompt: "Hi" }, { model: "m", messages: [] }, { input: "x" }]) {
    expect(conversationOf(none)).toBeUndefined();
  }
});
