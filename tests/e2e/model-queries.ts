import { setTimeout as sleep } from "node:timers/promises";

interface Tag {
  readonly name: string;
  readonly digest: string;
}

export interface ListHistory {
  /** Each list that Ollama returned. */
  readonly installed: string[][];
  /** Each list that the gateway returned. */
  readonly listed: string[][];
  /**
   * Names that the gateway listed twice in a row, but Ollama in none of its lists before, between and after. A name that
   * was listed only once may have come and gone between two of Ollama's lists, as that of a replaced model does.
   */
  readonly notInstalled: string[];
}

/**
 * A model that this many lists in a row lack is missing. Fewer are tolerated: Ollama overwrites a manifest in place, and
 * does not list the model meanwhile, for longer on a busy machine.
 */
const missingAfter = 6;

/** Functions that query a stack's Ollama and its gateway, at these URLs. */
export function modelQueries(ollama: string, gateway: string) {
  async function tags(): Promise<Tag[]> {
    const response = await fetch(`${ollama}/api/tags`);
    return ((await response.json()) as { models: Tag[] }).models;
  }
  const names = async () => (await tags()).map(({ name }) => name).sort();
  const digestOf = async (name: string) => (await tags()).find((tag) => tag.name === name)?.digest;

  /** Names that the gateway lists; undefined while its container is being replaced. */
  async function listed(): Promise<string[] | undefined> {
    try {
      const response = await fetch(`${gateway}/v1/models`);
      if (response.status !== 200) return undefined;
      return ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id).sort();
    } catch {
      return undefined;
    }
  }

  /** Polls both lists until the work is done. */
  async function watchLists<T>(work: Promise<T>): Promise<ListHistory & { readonly result: T }> {
    const history: Omit<ListHistory, "notInstalled"> = { installed: [], listed: [] };
    const snapshots: { readonly list: readonly string[]; readonly at: number }[] = [];
    const ended = new AbortController();
    const result = work.finally(() => {
      ended.abort();
    });
    const polling = (async () => {
      while (!ended.signal.aborted) {
        const before = await names();
        const list = await listed();
        const after = await names();
        history.installed.push(before, after);
        if (list !== undefined) {
          history.listed.push(list);
          snapshots.push({ list, at: history.installed.length - 1 });
        }
        await sleep(10);
      }
    })();
    await Promise.all([result, polling]);
    const missing = snapshots.map(({ list, at }) => {
      const around = history.installed
        .slice(Math.max(0, at - missingAfter / 2), at + missingAfter / 2)
        .flat();
      return list.filter((name) => !around.includes(name));
    });
    const notInstalled = missing.flatMap((current, i) =>
      current.filter((name) => missing[i + 1]?.includes(name)),
    );
    return { ...history, notInstalled, result: await result };
  }

  /** Ollama's description of a model. */
  async function showModel(model: string): Promise<unknown> {
    const response = await fetch(`${ollama}/api/show`, { method: "POST", body: JSON.stringify({ model }) });
    return await response.json();
  }

  /** Without a limit of the model or of the request, the response may take minutes. */
  async function chat(model: string, at = gateway, limits: { readonly max_tokens?: number } = {}) {
    const response = await fetch(`${at}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model,
        messages: [{ role: "user", content: "Tell me a long story." }],
        ...limits,
      }),
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

  return { ollama, tags, names, digestOf, listed, showModel, watchLists, chat };
}

export type ModelQueries = ReturnType<typeof modelQueries>;

/** Whether a name was missing for longer than Ollama takes to overwrite its manifest. */
export function wasMissing(name: string, lists: readonly string[][]): boolean {
  return lists.some(
    (_, i) =>
      i + missingAfter <= lists.length &&
      !lists
        .slice(i, i + missingAfter)
        .flat()
        .includes(name),
  );
}
