import { formatBytes } from "../../../engine/format-bytes.ts";
import type { ProgressLine } from "./ollama-api.ts";

const stepPercent = 5;
// A model's template or licence is there before it could be read that it comes.
const worthTelling = 1_000_000;
// What comes at once, or says nothing to whom has not written Ollama.
const untold = /^(success|writing manifest|removing unused layers|(using existing|creating new) layer .*)$/;

interface Layer {
  readonly firstSeen: number;
  readonly before: number;
  completed: number;
  step: number;
}

/** Turns the lines of a transfer into one line about every 5 % of a layer, and knows how far it is. */
export class Progress {
  readonly #say: (line: string) => void;
  readonly #layers = new Map<string, Layer>();
  #status = "";

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Bytes that are there, of all layers seen. */
  get bytes(): number {
    let sum = 0;
    for (const { completed } of this.#layers.values()) sum += completed;
    return sum;
  }

  /** Takes a line; true when it shows that more has come in. */
  take({ status, digest, total, completed = 0 }: ProgressLine): boolean {
    if (digest === undefined || total === undefined) {
      if (status !== undefined && status !== this.#status) this.#tell(status);
      this.#status = status ?? this.#status;
      return false;
    }
    let layer = this.#layers.get(digest);
    if (layer === undefined) {
      layer = { firstSeen: performance.now(), before: completed, completed: -1, step: -1 };
      this.#layers.set(digest, layer);
    }
    const step = Math.floor(((completed / total) * 100) / stepPercent);
    if (step > layer.step && total >= worthTelling) {
      const name = digest.replace("sha256:", "").slice(0, 12);
      this.#say(
        `${name}: ${String(step * stepPercent)} % of ${formatBytes(total)}${speed(layer, completed, total)}`,
      );
      layer.step = step;
    }
    const more = completed > layer.completed;
    layer.completed = Math.max(completed, layer.completed);
    return more;
  }

  #tell(status: string): void {
    if (!untold.test(status)) this.#say(status);
  }
}

/** How fast it comes in and how long it will take, once that is known. */
function speed({ firstSeen, before }: Layer, completed: number, total: number): string {
  const seconds = (performance.now() - firstSeen) / 1000;
  if (seconds < 1 || completed <= before) return "";
  const perSecond = (completed - before) / seconds;
  const left = Math.round((total - completed) / perSecond);
  const minutes = Math.floor(left / 60);
  return `, ${formatBytes(perSecond)}/s, ${minutes > 0 ? `${String(minutes)} min ` : ""}${String(left % 60)} s left`;
}
