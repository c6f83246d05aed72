import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type ModelQueries, wasMissing } from "./model-queries.ts";
import type { Project } from "../../test-support/stack/project.ts";

/**
 * Tests changes of a model list. It must start with own:1, which generates seven tokens per response, and web:1, which is
 * not retained and gets removed.
 */
export function describeChangedEntry(project: Project, models: ModelQueries): void {
  const { ollama, names, digestOf, showModel, watchLists, chat } = models;

  /** Retries for a moment: Ollama overwrites a manifest in place, and does not find the model meanwhile. */
  async function chatWithRetries(tries = 6): Promise<string> {
    try {
      const { status, tokens } = await chat("own:1", ollama);
      return `${String(status)}, ${String(tokens)} tokens`;
    } catch (error) {
      if (tries === 1) return String(error);
      await sleep(20);
      return await chatWithRetries(tries - 1);
    }
  }

  /** Sends one request after another until the work is done; returns the outcome of each. */
  async function chatDuring<T>(
    work: Promise<T>,
  ): Promise<{ readonly result: T; readonly outcomes: string[] }> {
    const ended = new AbortController();
    const result = work.finally(() => {
      ended.abort();
    });
    const outcomes: string[] = [];
    while (!ended.signal.aborted) {
      outcomes.push(await chatWithRetries());
      await sleep(50);
    }
    return { result: await result, outcomes };
  }

  describe("an entry whose parameters and system prompt change", () => {
    it("is updated in place: the model responds with the old settings, then with the new ones", async () => {
      const [own, , ...others] = project.configured("models") as object[];
      project.configure({
        models: [
          { ...own, system: "You tell jokes.", parameters: { num_predict: 5, temperature: 0 } },
          ...others,
        ],
      });
      const before = await digestOf("own:1");
      const { result, outcomes } = await chatDuring(
        watchLists(project.pulumi("up", "--yes", "--skip-preview")),
      );
      expect(result.result).toMatch(
        /Model own:1: its parameters, template or system prompt changed; it will be uploaded, ([\d.]+ [MG]B) \(\1 of it already present\)/,
      );
      expect(await showModel("own:1")).toMatchObject({ system: "You tell jokes." });
      expect(await digestOf("own:1")).not.toBe(before);
      expect(wasMissing("own:1", result.installed)).toBe(false);
      expect([...new Set([...outcomes, await chatWithRetries()])]).toEqual([
        "200, 7 tokens",
        "200, 5 tokens",
      ]);
      // web:1 was removed because its entry set retain to false, although the stack retains models.
      expect(await names()).toEqual(["own:1", "plain:1", "terse:1"]);
    });
  });
}
