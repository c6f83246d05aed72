// More models than a server usually holds; what is known of others is found out again.
const MAX_ENTRIES = 512;

interface Entry<Value> {
  readonly digest: string | undefined;
  readonly value: Value;
}

/** Remembers a value per model until the digest of the model's files changes. */
export class DigestCache<Value> {
  /** By canonical name. */
  readonly #entries = new Map<string, Entry<Value>>();

  get(model: string, digest: string | undefined): Value | undefined {
    const entry = this.#entries.get(model);
    return entry?.digest === digest ? entry?.value : undefined;
  }

  set(model: string, digest: string | undefined, value: Value): void {
    this.#entries.delete(model);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(model, { digest, value });
  }

  /** Forgets the value of a model, unless it has been replaced. */
  delete(model: string, value: Value): void {
    if (this.#entries.get(model)?.value === value) this.#entries.delete(model);
  }
}
