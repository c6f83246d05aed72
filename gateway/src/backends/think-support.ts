/** Supported control of thinking: none, or on and off. Undefined while no level has been rejected. */
export type ThinkSupport = "none" | "switch";

interface Learned {
  readonly digest: string | undefined;
  readonly support: ThinkSupport;
}

// More models than a server usually holds; forgotten entries are learned again.
const MAX_ENTRIES = 512;

/** Remembers per model what kind of thinking an Ollama server has rejected, until the model's digest changes. */
export class ThinkSupportCache {
  readonly #learned = new Map<string, Learned>();

  /** @param digest of the model's files */
  get(model: string, digest: string | undefined): ThinkSupport | undefined {
    const learned = this.#learned.get(model);
    return learned?.digest === digest ? learned?.support : undefined;
  }

  set(model: string, digest: string | undefined, support: ThinkSupport): void {
    this.#learned.delete(model);
    const [oldest] = this.#learned.keys();
    if (this.#learned.size >= MAX_ENTRIES && oldest !== undefined) this.#learned.delete(oldest);
    this.#learned.set(model, { digest, support });
  }
}
