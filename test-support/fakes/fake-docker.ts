import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What Docker's client prints; `fails` is its error, at the first call only if there is a `then`; one that `hangs` never ends. */
export type Answer = string | { readonly fails: string; readonly then?: string } | { readonly hangs: true };

/** A `docker`, or another program, on PATH that answers what it is told to, by the beginning of its arguments, and knows nothing else. */
export class FakeDocker {
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-docker-"));
  readonly #path = process.env["PATH"];
  readonly #program: string;

  constructor(program = "docker") {
    this.#program = program;
    process.env["PATH"] = `${this.#folder}${delimiter}${this.#path ?? ""}`;
    this.tell({});
  }

  /** Answers from now on, and forgets what it was asked. */
  tell(answers: Readonly<Record<string, Answer>>): void {
    rmSync(this.#calls, { force: true });
    const cases = Object.entries(answers).map(
      ([begin, answer]) => `${quoted(begin)}*) ${this.#actOf(begin, answer)} ;;`,
    );
    const lines = [
      "#!/bin/sh",
      `echo "$*" >> ${quoted(this.#calls)}`,
      'case "$*" in',
      ...cases,
      "esac",
      'echo "not told: $*" >&2; exit 1',
    ];
    // A shell reads its script as it goes: what runs keeps the one that it has begun.
    const path = join(this.#folder, this.#program);
    writeFileSync(`${path}.new`, `${lines.join("\n")}\n`, { mode: 0o755 });
    renameSync(`${path}.new`, path);
  }

  /** The arguments of each call. */
  get calls(): string[] {
    return existsSync(this.#calls) ? readFileSync(this.#calls, "utf8").trim().split("\n") : [];
  }

  remove(): void {
    process.env["PATH"] = this.#path;
    rmSync(this.#folder, { recursive: true });
  }

  #actOf(begin: string, answer: Answer): string {
    if (typeof answer === "string") return `printf %s ${quoted(answer)}; exit 0`;
    if ("hangs" in answer) return "exec sleep 600";
    const failure = `printf %s ${quoted(answer.fails)} >&2; exit 1`;
    if (answer.then === undefined) return failure;
    const isFirst = `[ "$(grep -c ^${quoted(begin)} ${quoted(this.#calls)})" = 1 ]`;
    return `if ${isFirst}; then ${failure}; fi; printf %s ${quoted(answer.then)}; exit 0`;
  }

  get #calls(): string {
    return join(this.#folder, "calls");
  }
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
