import { expect, onTestFinished, test } from "vitest";
import { ResponseStore } from "../../../gateway/src/response-store/response-store.ts";

const KIB = 1024;
const ENTRY = 4 * KIB;

interface Item {
  readonly id: string;
}

function start({ ttlMs = 1000, limitBytes = 64 * KIB } = {}) {
  let now = 0;
  const store = new ResponseStore<Item>({ ttlMs, limitBytes }, () => now);
  onTestFinished(() => {
    store.close();
  });
  const put = (owner: string, id: string, { cost = 0, previous = "" } = {}) =>
    store.put(owner, {
      id,
      response: {},
      input: [],
      output: [{ id: `msg_${id}` }],
      previous: store.get(owner, previous),
      cost,
    });
  const advance = (ms: number) => {
    now += ms;
  };
  return { store, put, advance };
}

test("only the owner of a response can see it and its items", () => {
  const { store, put } = start();
  expect(put("a", "1")).toBe(true);
  expect(store.get("a", "1")).toMatchObject({ id: "1" });
  expect(store.item("a", "msg_1")).toEqual({ id: "msg_1" });
  expect(store.get("b", "1")).toBeUndefined();
  expect(store.item("b", "msg_1")).toBeUndefined();
  expect(store.delete("b", "1")).toBe(false);
  expect(store.delete("a", "1")).toBe(true);
  expect(store.delete("a", "1")).toBe(false);
  expect(store.item("a", "msg_1")).toBeUndefined();
  expect(store.cost).toBe(0);
});

test("an expired response is removed, and its memory freed", () => {
  const { store, put, advance } = start();
  put("a", "1");
  advance(600);
  put("a", "2");
  advance(400);
  expect(store.get("a", "1")).toBeUndefined();
  expect(store.get("a", "2")).toBeDefined();
  expect(store.cost).toBe(ENTRY);
  advance(600);
  expect(store.item("a", "msg_2")).toBeUndefined();
  expect(store.size).toBe(0);
  expect(store.cost).toBe(0);
});

test("an expired response is removed even without a request", async () => {
  const store = new ResponseStore<Item>({ ttlMs: 10, limitBytes: 64 * KIB });
  store.put("a", { id: "1", response: {}, input: [], output: [], cost: 0 });
  await expect.poll(() => store.cost).toBe(0);
});

test("over the limit, the oldest responses of the owner with the most memory are dropped", () => {
  const { store, put } = start({ limitBytes: 6 * ENTRY });
  for (const id of ["b1", "b2"]) put("b", id);
  for (const id of ["a1", "a2", "a3", "a4", "a5", "a6"]) expect(put("a", id)).toBe(true);
  const remaining = ["b1", "b2", "a1", "a2", "a3", "a4", "a5", "a6"].filter(
    (id) => store.get(id.slice(0, 1), id) !== undefined,
  );
  expect(remaining).toEqual(["b1", "b2", "a3", "a4", "a5", "a6"]);
  expect(store.cost).toBe(6 * ENTRY);
});

test("a response that exceeds the limit on its own is not stored, and no other is dropped", () => {
  const { store, put } = start();
  put("a", "1");
  expect(put("a", "2", { cost: 64 * KIB })).toBe(false);
  expect(store.hasRoomFor(64 * KIB)).toBe(false);
  expect(store.get("a", "1")).toBeDefined();
  expect(new ResponseStore({ ttlMs: 1, limitBytes: 0 }).hasRoomFor(0)).toBe(false);
});

test("a response keeps its predecessor in memory, which counts towards the limit", () => {
  const { store, put, advance } = start();
  put("a", "1", { cost: KIB });
  advance(600);
  put("a", "2", { cost: KIB, previous: "1" });
  advance(600);
  expect(store.get("a", "1")).toBeUndefined();
  const second = store.get("a", "2");
  expect(second?.previous).toMatchObject({ id: "1" });
  expect(second).toMatchObject({ length: 2, conversationCost: 2 * (ENTRY + KIB) });
  expect(store.cost).toBe(2 * (ENTRY + KIB));
  store.delete("a", "2");
  expect(store.cost).toBe(0);
});

test("a response dropped while its successor was generated counts again", () => {
  const { store, put } = start();
  put("a", "1", { cost: KIB });
  put("a", "2", { cost: KIB, previous: "1" });
  const previous = store.get("a", "2");
  store.delete("a", "1");
  store.delete("a", "2");
  expect(store.cost).toBe(0);
  store.put("a", { id: "3", response: {}, input: [], output: [], previous, cost: 0 });
  expect(store.cost).toBe(3 * ENTRY + 2 * KIB);
  store.delete("a", "3");
  expect(store.cost).toBe(0);
});

test("a conversation over the limit is not stored any further", () => {
  const { store, put } = start({ limitBytes: 4 * ENTRY });
  const kept = ["1", "2", "3", "4", "5"].map((id) => put("a", id, { previous: `${Number(id) - 1}` }));
  expect(kept).toEqual([true, true, true, true, false]);
  expect(store.get("a", "4")).toBeDefined();
  expect(store.cost).toBe(4 * ENTRY);
});
