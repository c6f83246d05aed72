import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** The output of Docker's client. `fails` is an error, at the first call only if `then` is set; `hangs` never ends. */
export type FakeResponse =
  | string
  | { readonly fails: string; readonly then?: string }
  | { readonly hangs: true; readonly prints?: string };

/** A fake `docker`, or another program, on PATH, with scripted output by the beginning of its arguments. */
export class FakeDocker {
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-docker-"));
  readonly #path = process.env["PATH"];
  readonly #program: string;

  constructor(program = "docker") {
    this.#program = program;
    process.env["PATH"] = `${this.#folder}${delimiter}${this.#path ?? ""}`;
    this.mock({});
  }

  /** Sets the scripted output, and clears the recorded calls. */
  mock(responses: Readonly<Record<string, FakeResponse>>): void {
    rmSync(this.#calls, { force: true });
    const cases = Object.entries(responses).map(
      ([begin, response]) => `${quoted(begin)}*) ${this.#commandOf(begin, response)} ;;`,
    );
    const lines = [
      "#!/bin/sh",
      `echo "$*" >> ${quoted(this.#calls)}`,
      'case "$*" in',
      ...cases,
      "esac",
      'echo "no response set: $*" >&2; exit 1',
    ];
    // A shell reads its script while it runs, so a running one must keep its file.
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
    // A call that was just aborted may still record itself.
    rmSync(this.#folder, { recursive: true, maxRetries: 10 });
  }

  #commandOf(begin: string, response: FakeResponse): string {
    if (typeof response === "string") return `printf %s ${quoted(response)}; exit 0`;
    if ("hangs" in response) return `printf %s ${quoted(response.prints ?? "")}; exec sleep 600`;
    const failure = `printf %s ${quoted(response.fails)} >&2; exit 1`;
    if (response.then === undefined) return failure;
    const isFirst = `[ "$(grep -c ^${quoted(begin)} ${quoted(this.#calls)})" = 1 ]`;
    return `if ${isFirst}; then ${failure}; fi; printf %s ${quoted(response.then)}; exit 0`;
  }

  get #calls(): string {
    return join(this.#folder, "calls");
  }
}

/** Quotes a text as one word for a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
