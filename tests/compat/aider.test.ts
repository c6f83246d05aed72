import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { recipes } from "../../scripts/connect/client-recipes.ts";
import { runProgram } from "../../test-support/host/client-program.ts";
import { last, token } from "../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../test-support/gateway/gateway-harness.ts";
import { pythonPackages } from "../e2e/python.ts";

const MINUTE = 60_000;

let packages = "";

beforeAll(async () => {
  packages = await pythonPackages("aider.txt");
}, 15 * MINUTE);

test("Aider applies the model's edits over several turns", { timeout: 6 * MINUTE }, async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const [home, folder] = ["home", "work"].map((kind) => mkdtempSync(join(tmpdir(), `aider-${kind}-`))) as [
    string,
    string,
  ];
  onTestFinished(() => {
    for (const each of [home, folder]) rmSync(each, { recursive: true, force: true });
  });
  const note = join(folder, "note.txt");
  writeFileSync(note, "hello\n");
  const edits = ["good morning", "good night"].map((text) => `note.txt\n\`\`\`\n${text}\n\`\`\`\n`);
  fake.respondTo(({ messages }) => {
    const edit = messages.at(-1)?.content.includes("Later") === true ? edits[1] : edits[0];
    return [token(edit ?? ""), last()];
  });
  const endpoint = { url: gateway.url, model: "m", needsKey: false };
  const [variables = "", command = ""] =
    recipes.find(({ title }) => title === "Aider")?.lines(endpoint) ?? [];
  const env = Object.fromEntries(
    [...variables.matchAll(/(\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const run = (message: string) =>
    runProgram(
      "python3",
      [
        ...["-m", ...command.split(" ")],
        // No prompts and no downloads.
        ...["--yes-always", "--no-git", "--no-check-update", "--no-show-model-warnings", "--no-analytics"],
        ...["--restore-chat-history", "--message", message, "note.txt"],
      ],
      { cwd: folder, env: { PATH: process.env["PATH"], HOME: home, PYTHONPATH: packages, ...env } },
    );
  const first = await run("Now");
  expect(readFileSync(note, "utf8"), first.output + first.errors).toBe("good morning\n");
  const second = await run("Later");
  expect(readFileSync(note, "utf8"), second.output + second.errors).toBe("good night\n");
  // The second turn includes the first one.
  const sent = fake.received.findLast(({ body }) => body.messages.at(-1)?.content.includes("Later"));
  expect(JSON.stringify(sent?.body.messages)).toContain("Now");
  expect((await gateway.requestLine("/v1/chat/completions"))["status"]).toBe(200);
});
