import { formatBytes } from "../../../engine/format-bytes.ts";
import type { ProgressLine } from "./ollama-api.ts";

const stepPercent = 5;
// Smaller layers, such as a template or a licence, arrive before a line about them could be read.
const minLoggedBytes = 1_000_000;
// Statuses that pass immediately, or mean nothing to users.
const ignoredStatus =
  /^(success|writing manifest|removing unused layers|(using existing|creating new) layer .*)$/;

interface Layer {
  readonly firstSeen: number;
  readonly before: number;
  completed: number;
  step: number;
}

/** Tracks a transfer, and logs a line every 5 % of a layer. */
export class Progress {
  readonly #log: (line: string) => void;
  readonly #layers = new Map<string, Layer>();
  #status = "";

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Transferred bytes of all layers. */
  get bytes(): number {
    let sum = 0;
    for (const { completed } of this.#layers.values()) sum += completed;
    return sum;
  }

  /** Processes a line; returns whether it shows progress. */
  update({ status, digest, total, completed = 0 }: ProgressLine): boolean {
    if (digest === undefined || total === undefined) {
      if (status !== undefined && status !== this.#status) this.#logStatus(status);
      this.#status = status ?? this.#status;
      return false;
    }
    let layer = this.#layers.get(digest);
    if (layer === undefined) {
      layer = { firstSeen: performance.now(), before: completed, completed: -1, step: -1 };
      this.#layers.set(digest, layer);
    }
    const step = Math.floor(((completed / total) * 100) / stepPercent);
    if (step > layer.step && total >= minLoggedBytes) {
      const name = digest.replace("sha256:", "").slice(0, 12);
      this.#log(
        `${name}: ${String(step * stepPercent)} % of ${formatBytes(total)}${speed(layer, completed, total)}`,
      );
      layer.step = step;
    }
    const more = completed > layer.completed;
    layer.completed = Math.max(completed, layer.completed);
    return more;
  }

  #logStatus(status: string): void {
    if (!ignoredStatus.test(status)) this.#log(status);
  }
}

/** The rate and the remaining time, once they are known. */
function speed({ firstSeen, before }: Layer, completed: number, total: number): string {
  const seconds = (performance.now() - firstSeen) / 1000;
  if (seconds < 1 || completed <= before) return "";
  const perSecond = (completed - before) / seconds;
  const left = Math.round((total - completed) / perSecond);
  const minutes = Math.floor(left / 60);
  return `, ${formatBytes(perSecond)}/s, ${minutes > 0 ? `${String(minutes)} min ` : ""}${String(left % 60)} s left`;
}
