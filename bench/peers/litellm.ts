import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask, runTool, SetupError } from "../../scripts/process.ts";
import { step } from "../../scripts/progress.ts";
import { artefact, artefactPath, keyOf } from "../../toolchain/cache.ts";
import { freePort, Pinned } from "../pinned.ts";
import type { Peer } from "./peer.ts";

const VERSION = "1.106.2";

// It does not start without one.
const KEY = "sk-bench-0123456789abcdef0123456789abcdef";

let packages = "";

/** LiteLLM's proxy from PyPI, by its own way to Ollama. */
export const litellm: Peer = {
  name: "LiteLLM",

  async prepare() {
    const python = await ask("python3", ["--version"]);
    if (python === undefined)
      throw new SetupError("LiteLLM needs python3: install it, or leave it out with --only");
    const key = keyOf([VERSION, python]);
    await artefact("bench-litellm", key, (partial) =>
      step(`LiteLLM ${VERSION}`, 180, async (report) => {
        const arguments_ = [
          "-m",
          "pip",
          "install",
          "--quiet",
          "--target",
          partial,
          `litellm[proxy]==${VERSION}`,
        ];
        await runTool("python3", arguments_, { what: "install LiteLLM", report });
      }),
    );
    packages = artefactPath("bench-litellm", key);
    return `LiteLLM ${VERSION} on ${python.trim()}, one worker, \`ollama_chat\`, no keys, no database`;
  },

  async start(ollamaPort, folder) {
    const port = await freePort();
    const config = join(folder, "litellm.yaml");
    const models = ["fast", "paced", "open", "slow", "cold"].map(
      (name) =>
        `  - model_name: ${name}\n    litellm_params:\n      model: ollama_chat/${name}\n      api_base: http://127.0.0.1:${ollamaPort}\n`,
    );
    writeFileSync(config, `model_list:\n${models.join("")}`);
    const start = "from litellm import run_server; run_server()";
    return await Pinned.start({
      command: [
        "python3",
        "-c",
        start,
        ...["--config", config, "--host", "127.0.0.1", "--port", `${port}`, "--num_workers", "1"],
        ...["--telemetry", "False"],
      ],
      // Its list of prices comes with it; without this it is fetched at the start.
      env: {
        PYTHONPATH: packages,
        LITELLM_LOCAL_MODEL_COST_MAP: "True",
        LITELLM_LOG: "ERROR",
        LITELLM_MASTER_KEY: KEY,
        HOME: folder,
      },
      port,
      readyPath: "/health/liveliness",
      output: openSync(join(folder, "litellm.log"), "a"),
    });
  },

  question: (port, model, stream) => ({
    port,
    path: "/v1/chat/completions",
    model,
    stream,
    headers: { Authorization: `Bearer ${KEY}` },
  }),
};
