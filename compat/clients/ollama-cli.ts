import assert from "node:assert/strict";
import { runProgram } from "../../test-support/host/client-program.ts";
import { assertReply, type Client, question } from "../client.ts";

/** Ollama's command-line client. */
export function ollamaCli(program: string, version: string): Client {
  const run = async (url: string, ...args: string[]) => {
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], OLLAMA_HOST: url };
    const { output, errors, exitCode } = await runProgram(program, args, { cwd: process.cwd(), env });
    assert.equal(exitCode, 0, errors);
    return output;
  };
  return {
    name: "ollama, the command line",
    version,
    scenarios: {
      async run({ url, model }) {
        assertReply((await run(url, "run", model, question, "--think=false")).trim(), "first");
      },
      async "run with thinking"({ url, model }) {
        assert.match(
          await run(url, "run", model, question),
          /Next is: first, so first\.[^]*Hello there, friend\./,
        );
      },
      async "list, show and ps"({ url, model }) {
        assert.ok((await run(url, "list")).includes(model), "list lacks the model");
        assert.ok((await run(url, "show", model)).includes("thinking"), "show lacks the capabilities");
        assert.ok((await run(url, "ps")).includes(model), "ps lacks the model");
      },
    },
  };
}
