import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What Docker's client prints; `fails` is its error, at the first call only if there is a `then`; one that `hangs` never ends. */
export type FakeResponse =
  | string
  | { readonly fails: string; readonly then?: string }
  | { readonly hangs: true; readonly prints?: string };

/** A fake `docker`, or another program, on PATH with scripted output for arguments that begin in a certain way. */
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
      ([begin, response]) => `${quoted(begin)}*) ${this.#actOf(begin, response)} ;;`,
    );
    const lines = [
      "#!/bin/sh",
      `echo "$*" >> ${quoted(this.#calls)}`,
      'case "$*" in',
      ...cases,
      "esac",
      'echo "no response set: $*" >&2; exit 1',
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

  #actOf(begin: string, response: FakeResponse): string {
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

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
