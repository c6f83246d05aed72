import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { byKeyAndModel } from "../../../gateway/src/usage/usage-rows.ts";
import { UsageStore } from "../../../gateway/src/usage/usage-store.ts";

const silent = { warn: () => undefined, error: () => undefined };

function makeFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "gateway-usage-"));
  onTestFinished(() => {
    rmSync(path, { recursive: true });
  });
  return path;
}

function setTime(time: string): void {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date(time) });
  onTestFinished(() => {
    vi.useRealTimers();
  });
}

test("counts requests by day, key and model", async () => {
  setTime("2026-11-28T23:59:59Z");
  const store = new UsageStore("", silent);
  store.count("ada", "m", 10, 5, 1500);
  store.count("ada", "m", 1, 2, 0);
  store.count("bob", "m", 3, 0, 0);
  vi.setSystemTime(new Date("2026-11-29T00:00:01Z"));
  store.count("ada", "m", 7, 0, 0);
  const rows = await store.rows("2026-11");
  expect(rows).toEqual([
    {
      day: "2026-11-28",
      key: "ada",
      model: "m",
      requests: 2,
      promptTokens: 11,
      generatedTokens: 7,
      loadSeconds: 1.5,
    },
    {
      day: "2026-11-28",
      key: "bob",
      model: "m",
      requests: 1,
      promptTokens: 3,
      generatedTokens: 0,
      loadSeconds: 0,
    },
    {
      day: "2026-11-29",
      key: "ada",
      model: "m",
      requests: 1,
      promptTokens: 7,
      generatedTokens: 0,
      loadSeconds: 0,
    },
  ]);
  expect(byKeyAndModel(rows)[0]).toEqual({
    key: "ada",
    model: "m",
    requests: 3,
    promptTokens: 18,
    generatedTokens: 7,
    loadSeconds: 1.5,
  });
  await expect(store.rows("2026-13")).rejects.toThrow('"2026-13" is not a month');
});

test("resumes counting after a restart, and keeps a past month in its own file", async () => {
  setTime("2026-11-30T12:00:00Z");
  const path = join(makeFolder(), "x-gateway.json");
  const before = new UsageStore(path, silent);
  before.count("ada", "m", 10, 5, 0);
  await before.flush();
  const after = new UsageStore(path, silent);
  // Counted before the file has been read.
  after.count("ada", "m", 1, 1, 0);
  expect(await after.rows("2026-11")).toMatchObject([{ requests: 2, promptTokens: 11, generatedTokens: 6 }]);
  vi.setSystemTime(new Date("2026-12-01T00:00:00Z"));
  after.count("ada", "m", 100, 0, 0);
  await after.flush();
  const later = new UsageStore(path, silent);
  expect(await later.rows("2026-11")).toMatchObject([{ day: "2026-11-30", promptTokens: 11 }]);
  expect(await later.rows("2026-12")).toMatchObject([{ day: "2026-12-01", promptTokens: 100 }]);
});

test("sums replicas that share a folder, but not those of other stacks", async () => {
  setTime("2026-11-28T12:00:00Z");
  const shared = makeFolder();
  const names = ["s-gateway", "s-gateway-2", "s-gateway-3", "s-gateway-new-gateway", "t-gateway"];
  const stores = names.map((name) => new UsageStore(join(shared, `${name}.json`), silent));
  for (const store of stores) {
    store.count("ada", "m", 1, 0, 0);
    await store.flush();
  }
  for (const store of stores.slice(0, 3)) {
    expect(byKeyAndModel(await store.rows("2026-11"))).toMatchObject([{ requests: 3, promptTokens: 3 }]);
  }
  expect(await stores[0]?.othersRows("2026-11")).toMatchObject([
    { name: "s-gateway-2" },
    { name: "s-gateway-3" },
  ]);
  expect(await stores[4]?.rows("2026-11")).toMatchObject([{ requests: 1 }]);
});

test("counts keys and models over the monthly limit in one row per day", async () => {
  setTime("2026-11-28T12:00:00Z");
  const store = new UsageStore("", silent);
  for (let i = 0; i < 10_050; i += 1) store.count(`key ${i}`, "m", 1, 0, 0);
  const rows = await store.rows("2026-11");
  expect(rows).toHaveLength(10_001);
  expect(rows.at(-1)).toMatchObject({ key: "(others)", model: "(others)", requests: 50 });
});

test("keeps counting with a damaged file", async () => {
  setTime("2026-11-28T12:00:00Z");
  const path = makeFolder();
  const warned: string[] = [];
  const logger = { ...silent, warn: (_fields: object, message: string) => void warned.push(message) };
  const file = join(path, "g.usage-2026-11.json");
  writeFileSync(file, '{"version":1,"rows":[["28","ada","m",1,-5,"x"],["28",null]]}');
  const store = new UsageStore(join(path, "g.json"), logger);
  expect(await store.rows("2026-11")).toMatchObject([{ requests: 1, promptTokens: 0, generatedTokens: 0 }]);
  writeFileSync(file, '{"version":1,"ro');
  const other = new UsageStore(join(path, "g.json"), logger);
  other.count("ada", "m", 2, 0, 0);
  await other.flush();
  expect(warned).toEqual(["cannot read this month's usage, starting at zero"]);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ rows: [["28", "ada", "m", 1, 2, 0, 0]] });
});

test("keeps a damaged file beside the new one", async () => {
  setTime("2026-11-28T12:00:00Z");
  const path = makeFolder();
  const damaged = '{"version":1,"rows":[["28","ada","m",1000,1,1,0],';
  writeFileSync(join(path, "g.usage-2026-11.json"), damaged);
  const store = new UsageStore(join(path, "g.json"), silent);
  store.count("ada", "m", 2, 0, 0);
  await store.flush();
  expect(readFileSync(join(path, "g.usage-2026-11.json.damaged"), "utf8")).toBe(damaged);
  // Its rows do not count.
  expect(await store.rows("2026-11")).toMatchObject([{ requests: 1 }]);
});

test("reads the files of other replicas only when they have changed", async () => {
  setTime("2026-11-28T12:00:00Z");
  const shared = makeFolder();
  const [own, other] = ["s-gateway", "s-gateway-2"].map(
    (name) => new UsageStore(join(shared, `${name}.json`), silent),
  );
  other?.count("ada", "m", 1, 0, 0);
  await other?.flush();
  const first = await own?.othersRows("2026-11");
  expect(first).toMatchObject([{ rows: [{ requests: 1 }] }]);
  // The same array, not an equal one.
  expect((await own?.othersRows("2026-11"))?.[0]?.rows).toBe(first?.[0]?.rows);
  other?.count("ada", "m", 1, 0, 0);
  await other?.flush();
  expect(await own?.othersRows("2026-11")).toMatchObject([{ rows: [{ requests: 2 }] }]);
});

test("keeps the files of fourteen months", async () => {
  setTime("2026-11-28T12:00:00Z");
  const path = makeFolder();
  for (let year = 2024; year < 2027; year += 1) {
    for (let month = 1; month < 10; month += 1)
      writeFileSync(join(path, `g.usage-${year}-0${month}.json`), '{"rows":[]}');
  }
  const store = new UsageStore(join(path, "g.json"), silent);
  await store.rows("2026-11");
  const kept = readdirSync(path).sort();
  expect(kept).toHaveLength(14);
  expect(kept[0]).toBe("g.usage-2025-05.json");
});

test("hasFailed is true as long as the folder is missing", async () => {
  const missing = join(makeFolder(), "missing");
  const store = new UsageStore(join(missing, "gateway.json"), silent);
  store.count("ada", "tiny:1b", 1, 2, 0);
  await store.flush();
  expect(store.hasFailed).toBe(true);
  mkdirSync(missing);
  await store.flush();
  expect(store.hasFailed).toBe(false);
});
