import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What Docker's client prints; `fails` is its error, and one that `hangs` never ends. */
export type Answer = string | { readonly fails: string } | { readonly hangs: true };

/** A `docker` on PATH that answers what it is told to, by the beginning of its arguments, and knows nothing else. */
export class FakeDocker {
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-docker-"));
  readonly #path = process.env["PATH"];

  constructor() {
    process.env["PATH"] = `${this.#folder}${delimiter}${this.#path ?? ""}`;
    this.tell({});
  }

  /** Answers from now on, and forgets what it was asked. */
  tell(answers: Readonly<Record<string, Answer>>): void {
    rmSync(this.#calls, { force: true });
    const cases = Object.entries(answers).map(([begin, answer]) => {
      const does =
        typeof answer === "string"
          ? `printf %s ${quoted(answer)}; exit 0`
          : "hangs" in answer
            ? "exec sleep 600"
            : `printf %s ${quoted(answer.fails)} >&2; exit 1`;
      return `${quoted(begin)}*) ${does} ;;`;
    });
    const lines = [
      "#!/bin/sh",
      `echo "$*" >> ${quoted(this.#calls)}`,
      'case "$*" in',
      ...cases,
      "esac",
      'echo "not told: $*" >&2; exit 1',
    ];
    writeFileSync(join(this.#folder, "docker"), `${lines.join("\n")}\n`, { mode: 0o755 });
  }

  /** The arguments of each call. */
  get calls(): string[] {
    return existsSync(this.#calls) ? readFileSync(this.#calls, "utf8").trim().split("\n") : [];
  }

  remove(): void {
    process.env["PATH"] = this.#path;
    rmSync(this.#folder, { recursive: true });
  }

  get #calls(): string {
    return join(this.#folder, "calls");
  }
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
