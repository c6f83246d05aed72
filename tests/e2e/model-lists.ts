import { setTimeout as sleep } from "node:timers/promises";

// Which models a stack has, as its Ollama and its gateway list them, and what they are and answer.

interface Tag {
  readonly name: string;
  readonly digest: string;
}

export interface Seen {
  /** Each list that Ollama gave. */
  readonly installed: string[][];
  /** Each list that the gateway gave. */
  readonly listed: string[][];
  /**
   * What the gateway listed twice in a row, and Ollama had in none of its lists before, between and after: once only, it
   * can be a name that came and went between two lists, as a replaced model's does.
   */
  readonly wrong: string[];
}

/** Ollama writes a manifest over where it is, and does not list what it stands for meanwhile: longer on a busy machine. */
const inARow = 6;

export function modelLists(ollama: string, gateway: string) {
  async function tags(): Promise<Tag[]> {
    const response = await fetch(`${ollama}/api/tags`);
    return ((await response.json()) as { models: Tag[] }).models;
  }
  const names = async () => (await tags()).map(({ name }) => name).sort();
  const digestOf = async (name: string) => (await tags()).find((tag) => tag.name === name)?.digest;

  /** Names that the gateway lists; undefined while it is made anew. */
  async function listed(): Promise<string[] | undefined> {
    try {
      const response = await fetch(`${gateway}/v1/models`);
      if (response.status !== 200) return undefined;
      return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id).sort();
    } catch {
      return undefined;
    }
  }

  /** Looks at both lists without pause as long as something is done. */
  async function watching<T>(work: Promise<T>): Promise<Seen & { readonly result: T }> {
    const seen: Omit<Seen, "wrong"> = { installed: [], listed: [] };
    const looks: { readonly list: readonly string[]; readonly at: number }[] = [];
    const ended = new AbortController();
    const result = work.finally(() => {
      ended.abort();
    });
    const looking = (async () => {
      while (!ended.signal.aborted) {
        const before = await names();
        const list = await listed();
        const after = await names();
        seen.installed.push(before, after);
        if (list !== undefined) {
          seen.listed.push(list);
          looks.push({ list, at: seen.installed.length - 1 });
        }
        await sleep(10);
      }
    })();
    await Promise.all([result, looking]);
    const missing = looks.map(({ list, at }) => {
      const around = seen.installed.slice(Math.max(0, at - inARow / 2), at + inARow / 2).flat();
      return list.filter((name) => !around.includes(name));
    });
    const wrong = missing.flatMap((here, i) => here.filter((name) => missing[i + 1]?.includes(name)));
    return { ...seen, wrong, result: await result };
  }

  /** What Ollama says of a model. */
  async function shown(model: string): Promise<unknown> {
    const response = await fetch(`${ollama}/api/show`, { method: "POST", body: JSON.stringify({ model }) });
    return await response.json();
  }

  async function chat(model: string, at = gateway) {
    const response = await fetch(`${at}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "Tell me a long story." }] }),
    });
    const { choices, usage } = (await response.json()) as {
      choices: { finish_reason: string; message: { content: string } }[];
      usage: { completion_tokens: number };
    };
    return {
      status: response.status,
      finish: choices[0]?.finish_reason ?? "",
      tokens: usage.completion_tokens,
      text: choices[0]?.message.content ?? "",
    };
  }

  return { ollama, tags, names, digestOf, listed, shown, watching, chat };
}

export type ModelLists = ReturnType<typeof modelLists>;

/** Whether a name is missing for longer than its manifest takes to be written. */
export function everMissing(name: string, lists: readonly string[][]): boolean {
  return lists.some(
    (_, i) =>
      i + inARow <= lists.length &&
      !lists
        .slice(i, i + inARow)
        .flat()
        .includes(name),
  );
}
