import { describe, expect, it } from "vitest";
import { choosePort, isChosen, type PortRequest } from "../../../components/planning/ports/port-choice.ts";

/** Chooses a port while others use the `taken` ones. */
const choose = (taken: readonly number[], change: Partial<PortRequest> = {}) =>
  choosePort({
    name: "ollama-stack-ci-1-gateway",
    had: [],
    isFree: (port) => Promise.resolve(!taken.includes(port)),
    ...change,
  });
const derived = (await choose([])) ?? 0;
const nothingIsFree = () => Promise.resolve(false);

describe("a port that the stack chooses", () => {
  it("is derived from a name, so that a preview and its update choose the same one", async () => {
    expect(isChosen(derived)).toBe(true);
    expect(await choose([])).toBe(derived);
    expect(await choose([], { name: "ollama-stack-ci-2-gateway" })).not.toBe(derived);
  });

  it("is spread over the range, so that concurrent stacks rarely choose the same one", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `ollama-stack-ci-${String(i)}-gateway`);
    const ports = await Promise.all(names.map((name) => choose([], { name })));
    expect(new Set(ports).size).toBeGreaterThan(95);
  });

  it("is the next one if the first ones are taken", async () => {
    expect(await choose([derived, derived + 1])).toBe(derived + 2);
  });

  it("stays the one that the stack has, even outside the range", async () => {
    expect(await choose([], { had: [8000] })).toBe(8000);
    expect(await choose([8000], { had: [8000, 20_123] })).toBe(20_123);
    expect(await choose([8000, 20_123], { had: [8000, 20_123] })).toBe(derived);
  });

  it("is never one that the engine refused, even if it seems to be free", async () => {
    expect(await choose([], { refused: derived })).toBe(derived + 1);
    // It does not alternate between two ports.
    expect(await choose([], { refused: derived + 1 })).toBe(derived + 2);
    expect(await choose([], { had: [derived], refused: derived })).toBe(derived + 1);
  });

  it("wraps around at the end of the range", async () => {
    expect(await choose([], { refused: 29_999 })).toBe(20_000);
  });

  it("is undefined if all ports are taken", async () => {
    expect(await choosePort({ name: "x", had: [8000], isFree: nothingIsFree })).toBeUndefined();
  });
});
