/** Total usage of one key and model on one day, UTC. */
export interface UsageRow {
  /** E.g. 2026-11-28. */
  readonly day: string;
  /** Name of the API key; empty on a gateway without keys. */
  readonly key: string;
  /** `unknown` if Ollama has never responded with the model. */
  readonly model: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Total time that requests waited for the model to load. */
  readonly loadSeconds: number;
}

type UsageAmounts = Omit<UsageRow, "day" | "key" | "model">;

export function sumOfAmounts(rows: readonly UsageAmounts[]): UsageAmounts {
  let [requests, promptTokens, generatedTokens, loadSeconds] = [0, 0, 0, 0];
  for (const row of rows) {
    requests += row.requests;
    promptTokens += row.promptTokens;
    generatedTokens += row.generatedTokens;
    loadSeconds += row.loadSeconds;
  }
  return { requests, promptTokens, generatedTokens, loadSeconds };
}

/** Sums up rows by key and model over all days, sorted by key and model. */
export function byKeyAndModel(rows: readonly UsageRow[]): Omit<UsageRow, "day">[] {
  const groups = Map.groupBy(rows, ({ key, model }) => `${key}\0${model}`);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, group]) => {
      const { key = "", model = "" } = group[0] ?? {};
      return { key, model, ...sumOfAmounts(group) };
    });
}
