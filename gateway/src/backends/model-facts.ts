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
  readonly digest: string;
  readonly requested: Promise<ModelFacts>;
  /** Set once Ollama has responded. */
  facts: ModelFacts | undefined;
}

// More than a server usually holds; models beyond are requested again.
const MAX_ENTRIES = 512;

/** Caches model facts until the digest of the model changes. */
export class ModelFactsCache {
  /** By canonical name. */
  readonly #entries = new Map<string, Entry>();

  /** Returns cached facts. */
  peek(model: string, digest: string): ModelFacts | undefined {
    const entry = this.#entries.get(model);
    return entry?.digest === digest ? entry.facts : undefined;
  }

  /**
   * Requests the facts of a model; concurrent calls share one request. Failures are not cached.
   *
   * @param show requests `/api/show`
   * @throws what `show` throws
   */
  get(model: string, digest: string, show: () => Promise<unknown>): Promise<ModelFacts> {
    const present = this.#entries.get(model);
    if (present?.digest === digest) return present.requested;
    const entry: Entry = { digest, requested: show().then(readFacts), facts: undefined };
    this.#add(model, entry);
    entry.requested.then(
      (facts) => {
        entry.facts = facts;
      },
      () => {
        if (this.#entries.get(model) === entry) this.#entries.delete(model);
      },
    );
    return entry.requested;
  }

  #add(model: string, entry: Entry): void {
    this.#entries.delete(model);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(model, entry);
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
