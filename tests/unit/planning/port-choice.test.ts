import { describe, expect, it } from "vitest";
import { choosePort, isChosen, type PortRequest } from "../../../components/planning/ports/port-choice.ts";

/** Chooses beside ports that others have. */
const choose = (taken: readonly number[], wish: Partial<PortRequest> = {}) =>
  choosePort({
    name: "ollama-stack-ci-1-gateway",
    had: [],
    isFree: (port) => Promise.resolve(!taken.includes(port)),
    ...wish,
  });
const derived = (await choose([])) ?? 0;
const nothingIsFree = () => Promise.resolve(false);

describe("a port that is left to the stack", () => {
  it("is derived from a name, so that a preview and its update choose the same", async () => {
    expect(isChosen(derived)).toBe(true);
    expect(await choose([])).toBe(derived);
    expect(await choose([], { name: "ollama-stack-ci-2-gateway" })).not.toBe(derived);
  });

  it("is spread over the range, so that stacks that come up at once rarely choose the same", async () => {
    const names = Array.from({ length: 100 }, (_, i) => `ollama-stack-ci-${String(i)}-gateway`);
    const ports = await Promise.all(names.map((name) => choose([], { name })));
    expect(new Set(ports).size).toBeGreaterThan(95);
  });

  it("is the next one where others have the first", async () => {
    expect(await choose([derived, derived + 1])).toBe(derived + 2);
  });

  it("stays what the stack has, be it out of the range", async () => {
    expect(await choose([], { had: [8000] })).toBe(8000);
    expect(await choose([8000], { had: [8000, 20_123] })).toBe(20_123);
    expect(await choose([8000, 20_123], { had: [8000, 20_123] })).toBe(derived);
  });

  it("is never again one that the engine refused, though nobody is seen to have it", async () => {
    expect(await choose([], { refused: derived })).toBe(derived + 1);
    // Not back and forth between two.
    expect(await choose([], { refused: derived + 1 })).toBe(derived + 2);
    expect(await choose([], { had: [derived], refused: derived })).toBe(derived + 1);
  });

  it("begins again at the start of the range after its end", async () => {
    expect(await choose([], { refused: 29_999 })).toBe(20_000);
  });

  it("is none where all are taken", async () => {
    expect(await choosePort({ name: "x", had: [8000], isFree: nothingIsFree })).toBeUndefined();
  });
});
