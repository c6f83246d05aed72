import { DigestCache } from "./digest-cache.ts";

/** What Ollama reports about a model without loading it. */
export interface ModelFacts {
  /** `completion`, `tools`, `vision`, `thinking`, `embedding`, ... */
  readonly capabilities: readonly string[] | undefined;
  /** Context length in tokens that it was trained with. */
  readonly trainedContext: number | undefined;
  /** Context length in tokens set in its Modelfile. */
  readonly ownContext: number | undefined;
}

/** Whether a model only embeds. False for old Ollama versions, which report no capabilities. */
export function embedsOnly({ capabilities }: ModelFacts): boolean {
  return capabilities?.includes("embedding") === true && !capabilities.includes("completion");
}

interface Entry {
  readonly requested: Promise<ModelFacts>;
  /** Set once Ollama has responded. */
  facts: ModelFacts | undefined;
}

/** Caches model facts until the digest of the model changes. */
export class ModelFactsCache {
  readonly #entries = new DigestCache<Entry>();

  /** Returns cached facts. */
  peek(model: string, digest: string): ModelFacts | undefined {
    return this.#entries.get(model, digest)?.facts;
  }

  /**
   * Requests the facts of a model; concurrent calls share one request. Failures are not cached.
   *
   * @param show requests `/api/show`
   * @throws what `show` throws
   */
  get(model: string, digest: string, show: () => Promise<unknown>): Promise<ModelFacts> {
    const present = this.#entries.get(model, digest);
    if (present !== undefined) return present.requested;
    const entry: Entry = { requested: show().then(readFacts), facts: undefined };
    this.#entries.set(model, digest, entry);
    entry.requested.then(
      (facts) => {
        entry.facts = facts;
      },
      () => {
        this.#entries.delete(model, entry);
      },
    );
    return entry.requested;
  }
}

interface ShowResponse {
  readonly capabilities?: readonly string[] | null;
  readonly model_info?: Readonly<Record<string, unknown>> | null;
  /** One Modelfile parameter per line. */
  readonly parameters?: unknown;
}

/** @param response the response of `/api/show` */
function readFacts(response: unknown): ModelFacts {
  const { capabilities, model_info: info, parameters } = (response ?? {}) as ShowResponse;
  const trained = info?.[`${String(info["general.architecture"])}.context_length`];
  const own = typeof parameters === "string" ? /^num_ctx\s+(\d+)\s*$/m.exec(parameters)?.[1] : undefined;
  return {
    capabilities: capabilities ?? undefined,
    trainedContext: typeof trained === "number" ? trained : undefined,
    ownContext: own === undefined ? undefined : Number(own),
  };
}
