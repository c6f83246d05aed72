/** How far the thinking of a model can be steered: not at all, or on and off only. A level is a matter of trying. */
export type ThinkSupport = "none" | "switch";

interface Learned {
  readonly digest: string | undefined;
  readonly support: ThinkSupport;
}

// More models than a server holds; what is forgotten is learned again.
const MAX_ENTRIES = 512;

/** What an Ollama server has refused: for each model, as long as its name means the same files. */
export class ThinkSupportCache {
  readonly #learned = new Map<string, Learned>();

  /** @param digest of the model's files, as the server says */
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
