import { EngineError } from "./docker-cli.ts";
import { formatBytes } from "./format-bytes.ts";

// An import statement would load fetch too, which takes 40 ms.
const { request } = process.getBuiltinModule("node:http");

/** An image to pull. */
export interface ImagePull {
  /** Without tag and digest. */
  readonly name: string;
  /** Tag, or digest. */
  readonly reference: string;
  /** Such as linux/amd64; empty for the engine's own platform. */
  readonly platform: string;
  /** Credentials for its registry, if any. */
  readonly account: { readonly username: string; readonly password: string } | undefined;
}

interface PullEvent {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/**
 * Makes the engine behind a socket pull an image, without a timeout, and reports progress.
 *
 * @throws EngineError with the engine's reason
 */
export function pullImage(
  socketPath: string,
  { name, reference, platform, account }: ImagePull,
  report: (progress: string) => void,
): Promise<void> {
  const query = new URLSearchParams({
    fromImage: name,
    tag: reference,
    ...(platform !== "" && { platform }),
  });
  const headers =
    account === undefined
      ? {}
      : { "x-registry-auth": Buffer.from(JSON.stringify(account)).toString("base64url") };
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath, method: "POST", path: `/images/create?${query.toString()}`, headers, agent: false },
      (response) => {
        const progress = new PullProgress();
        const isRefused = (response.statusCode ?? 0) >= 400;
        let failure: string | undefined;
        let rest = "";
        response.setEncoding("utf8").on("data", (text: string) => {
          if (isRefused) {
            rest += text;
            return;
          }
          const lines = (rest + text).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines.filter((each) => each.trim() !== "")) {
            const event = JSON.parse(line) as PullEvent;
            failure ??= event.error;
            progress.take(event);
          }
          report(progress.summary());
        });
        response.once("error", reject);
        response.once("end", () => {
          const reason = isRefused ? messageIn(rest) : failure;
          if (reason === undefined) resolve();
          else reject(new EngineError(reason));
        });
      },
    );
    call.once("error", reject).end();
  });
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message: string }).message;
  } catch {
    return text.trim();
  }
}

/** Sums up the layers of a pull. Exported for its test. */
export class PullProgress {
  readonly #layers = new Map<string, { current: number; total: number }>();
  readonly #started: number;
  readonly #now: () => number;

  constructor(now = () => performance.now()) {
    this.#now = now;
    this.#started = now();
  }

  take({ status, id, progressDetail }: PullEvent): void {
    if (id === undefined) return;
    const { current = 0, total = 0 } = progressDetail ?? {};
    const layer = this.#layers.get(id);
    if (status === "Downloading" && total > 0) this.#layers.set(id, { current, total });
    else if (status === "Download complete" && layer !== undefined) layer.current = layer.total;
  }

  /** "120 MB of 1.6 GB, 11 MB/s"; the total grows as the engine learns of layers. */
  summary(): string {
    const layers = [...this.#layers.values()];
    const sum = (key: "current" | "total") => layers.reduce((all, layer) => all + layer[key], 0);
    const seconds = (this.#now() - this.#started) / 1000;
    if (sum("total") === 0) return "";
    const rate = seconds > 0 ? `, ${formatBytes(Math.round(sum("current") / seconds))}/s` : "";
    return `${formatBytes(sum("current"))} of ${formatBytes(sum("total"))}${rate}`;
  }
}
