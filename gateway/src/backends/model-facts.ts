/** What Ollama knows of a model without loading it, as far as it says. */
export interface ModelFacts {
  /** What it can do: `completion`, `tools`, `vision`, `thinking`, `embedding`, ... */
  readonly capabilities: readonly string[] | undefined;
  /** Tokens that it was trained to attend to. */
  readonly trainedContext: number | undefined;
  /** Tokens that its Modelfile has it loaded with. */
  readonly ownContext: number | undefined;
}

/** Whether a model takes no prompts. An old Ollama does not say what its models can do. */
export function embedsOnly({ capabilities }: ModelFacts): boolean {
  return capabilities?.includes("embedding") === true && !capabilities.includes("completion");
}

interface Entry {
  readonly digest: string;
  readonly requested: Promise<ModelFacts>;
  /** Set once Ollama has responded. */
  facts: ModelFacts | undefined;
}

// More models than a server holds; those beyond are requested again.
const MAX_ENTRIES = 512;

/** The facts of models, each for as long as its name means the same files. */
export class ModelFactsCache {
  /** By the model's one spelling. */
  readonly #entries = new Map<string, Entry>();

  /** What is known already. */
  peek(model: string, digest: string): ModelFacts | undefined {
    const entry = this.#entries.get(model);
    return entry?.digest === digest ? entry.facts : undefined;
  }

  /**
   * Requests the facts of a model, once for all that need them at the same time.
   *
   * @param show requests `/api/show`; what it throws is thrown here, and the next call requests again
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

interface Shown {
  readonly capabilities?: readonly string[] | null;
  readonly model_info?: Readonly<Record<string, unknown>> | null;
  /** As a Modelfile has them, one a line. */
  readonly parameters?: unknown;
}

/** @param shown the response of `/api/show` */
function readFacts(shown: unknown): ModelFacts {
  const { capabilities, model_info: info, parameters } = (shown ?? {}) as Shown;
  const trained = info?.[`${String(info["general.architecture"])}.context_length`];
  const own = typeof parameters === "string" ? /^num_ctx\s+(\d+)\s*$/m.exec(parameters)?.[1] : undefined;
  return {
    capabilities: capabilities ?? undefined,
    trainedContext: typeof trained === "number" ? trained : undefined,
    ownContext: own === undefined ? undefined : Number(own),
  };
}
