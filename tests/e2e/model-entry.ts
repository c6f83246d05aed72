import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { everMissing, type ModelLists } from "./model-lists.ts";
import type { Project } from "../../test-support/stack/project.ts";

/** Changes a list that begins with own:1, of seven tokens an answer, and web:1, which does not stay and is taken away. */
export function describeChangedEntry(project: Project, models: ModelLists): void {
  const { ollama, names, digestOf, shown, watching, chat } = models;

  /** Asks again for a moment: Ollama writes a manifest over where it is, and does not find it meanwhile. */
  async function ask(tries = 6): Promise<string> {
    try {
      const { status, tokens } = await chat("own:1", ollama);
      return `${String(status)}, ${String(tokens)} tokens`;
    } catch (error) {
      if (tries === 1) return String(error);
      await sleep(20);
      return await ask(tries - 1);
    }
  }

  /** Asks without pause as long as something is done; returns how each answer came out. */
  async function asking<T>(work: Promise<T>): Promise<{ readonly result: T; readonly answers: string[] }> {
    const ended = new AbortController();
    const result = work.finally(() => {
      ended.abort();
    });
    const answers: string[] = [];
    while (!ended.signal.aborted) {
      answers.push(await ask());
      await sleep(50);
    }
    return { result: await result, answers };
  }

  describe("an entry whose parameters and system prompt change", () => {
    it("is changed in place: its model answers meanwhile, as it was and then as it is to be", async () => {
      const [own, , ...others] = project.configured("models") as object[];
      project.configure({
        models: [
          { ...own, system: "You tell jokes.", parameters: { num_predict: 5, temperature: 0 } },
          ...others,
        ],
      });
      const before = await digestOf("own:1");
      const { result, answers } = await asking(watching(project.pulumi("up", "--yes", "--skip-preview")));
      expect(result.result).toMatch(
        /Model own:1: its parameters, template or system prompt changed; it will be uploaded, ([\d.]+ [MG]B) \(\1 of it already present\)/,
      );
      expect(await shown("own:1")).toMatchObject({ system: "You tell jokes." });
      expect(await digestOf("own:1")).not.toBe(before);
      expect(everMissing("own:1", result.installed)).toBe(false);
      expect([...new Set([...answers, await ask()])]).toEqual(["200, 7 tokens", "200, 5 tokens"]);
      // The second one's entry let it go, though the stack keeps what is in no list.
      expect(await names()).toEqual(["own:1", "plain:1", "terse:1"]);
    });
  });
}
