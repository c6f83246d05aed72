import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** What Docker's client prints; `fails` is its error. */
export type Answer = string | { readonly fails: string };

/** A `docker` on PATH that answers what it is told to, by the beginning of its arguments, and knows nothing else. */
export class FakeDocker {
  readonly #folder = mkdtempSync(join(tmpdir(), "fake-docker-"));
  readonly #path = process.env["PATH"];

  constructor() {
    const program = `#!${process.execPath}
const { appendFileSync, readFileSync } = require("node:fs");
const call = process.argv.slice(2).join(" ");
appendFileSync(${JSON.stringify(join(this.#folder, "calls"))}, call + "\\n");
const answers = JSON.parse(readFileSync(${JSON.stringify(join(this.#folder, "answers"))}, "utf8"));
const [, answer] = answers.find(([begin]) => call.startsWith(begin)) ?? [, { fails: "not told: " + call }];
if (typeof answer === "string") process.stdout.write(answer);
else {
  process.stderr.write(answer.fails);
  process.exitCode = 1;
}
`;
    writeFileSync(join(this.#folder, "docker"), program, { mode: 0o755 });
    process.env["PATH"] = `${this.#folder}${delimiter}${this.#path ?? ""}`;
    this.tell({});
  }

  /** Answers from now on, and forgets what it was asked. */
  tell(answers: Readonly<Record<string, Answer>>): void {
    writeFileSync(join(this.#folder, "answers"), JSON.stringify(Object.entries(answers)));
    rmSync(join(this.#folder, "calls"), { force: true });
  }

  /** The arguments of each call. */
  get calls(): string[] {
    const file = join(this.#folder, "calls");
    return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  }

  remove(): void {
    process.env["PATH"] = this.#path;
    rmSync(this.#folder, { recursive: true });
  }
}
