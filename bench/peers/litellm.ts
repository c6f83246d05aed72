import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../host/exec.ts";
import { step } from "../../host/progress.ts";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { fakeModels } from "../load-process.ts";
import { freePort } from "../../host/free-port.ts";
import { PinnedProcess } from "../pinned-process.ts";
import type { Peer } from "./peer.ts";

const requirements = join(import.meta.dirname, "litellm", "requirements.txt");
// LiteLLM does not start without one.
const key = "sk-bench-0123456789abcdef0123456789abcdef";
let packages = "";

/** LiteLLM's proxy in front of Ollama's `/v1`: with its provider for Ollama's own API, buffered responses take twice as long. */
export const litellm: Peer = {
  name: "LiteLLM",
  isOurs: false,

  async prepare() {
    const python = (await runTool("python3", ["--version"], { what: "python version" })).trim();
    const pins = readFileSync(requirements, "utf8");
    packages = await artefact("bench-litellm", keyOf([python, pins]), (partial) =>
      step("LiteLLM from PyPI", 90, async (report) => {
        const quiet = ["--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check"];
        const args = ["-m", "pip", "install", ...quiet, "--target", partial, "--requirement", requirements];
        await runTool("python3", args, { what: "pip install litellm", report });
      }),
    );
    const [, version] = /^litellm\[proxy\]==(.*)$/m.exec(pins) ?? [];
    return `${version ?? ""} from PyPI on ${python}, one worker, with a master key and no database, provider \`openai\`, which uses Ollama's \`/v1/chat/completions\` (with \`ollama_chat\`, buffered responses take twice as long)`;
  },

  async start(ollamaPort, folder) {
    const port = await freePort();
    const config = join(folder, "litellm.yaml");
    writeFileSync(config, configuration(ollamaPort));
    const args = ["--config", config, "--host", "127.0.0.1", "--port", `${port}`, "--num_workers", "1"];
    return await PinnedProcess.start({
      command: ["python3", "-c", "from litellm import run_server; run_server()", ...args],
      env: {
        PYTHONPATH: packages,
        HOME: folder,
        // Otherwise it downloads its table of prices at the start.
        LITELLM_LOCAL_MODEL_COST_MAP: "True",
        LITELLM_LOG: "ERROR",
      },
      cwd: folder,
      port,
      readyPath: "/health/liveliness",
      output: openSync(join(folder, "litellm.log"), "a"),
    });
  },

  request: (port, model, stream) => ({
    port,
    path: "/v1/chat/completions",
    model,
    stream,
    headers: { Authorization: `Bearer ${key}` },
  }),
};

function configuration(ollamaPort: number): string {
  const ollama = { api_base: `http://127.0.0.1:${ollamaPort}/v1`, api_key: "none" };
  return JSON.stringify({
    model_list: fakeModels.map((name) => ({
      model_name: name,
      litellm_params: { model: `openai/${name}`, ...ollama },
    })),
    litellm_settings: { telemetry: false, num_retries: 0 },
    general_settings: { master_key: key },
  });
}
