import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "../../scripts/process.ts";
import { step } from "../../scripts/progress.ts";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { freePort, Pinned } from "../pinned.ts";
import type { Peer } from "./peer.ts";

const VERSION = "1.15.2";
// With a newer one it does not stream.
const NODE_SERVER = "1.14.1";

let program = "";
let ollama = 0;

/** Portkey's gateway from npm, by its own way to Ollama: Ollama's `/v1`. */
export const portkey: Peer = {
  name: "Portkey",

  async prepare() {
    const manifest = JSON.stringify({
      private: true,
      dependencies: { "@portkey-ai/gateway": VERSION },
      overrides: { "@hono/node-server": NODE_SERVER },
    });
    const folder = await artefact("bench-portkey", keyOf([manifest]), (partial) =>
      step(`Portkey ${VERSION}`, 15, async (report) => {
        writeFileSync(join(partial, "package.json"), manifest);
        const arguments_ = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
        await runTool("npm", arguments_, { what: "install Portkey", cwd: partial, report });
      }),
    );
    program = join(folder, "node_modules", "@portkey-ai", "gateway", "build", "start-server.js");
    return `Portkey ${VERSION} on Node.js ${process.versions.node} with @hono/node-server ${NODE_SERVER}, to Ollama's \`/v1\`, no keys, no log`;
  },

  async start(ollamaPort, folder) {
    const port = await freePort();
    ollama = ollamaPort;
    return await Pinned.start({
      command: [process.execPath, program, `--port=${port}`, "--headless"],
      env: { NODE_ENV: "production", HOME: folder },
      port,
      readyPath: "/",
      output: openSync(join(folder, "portkey.log"), "a"),
    });
  },

  question: (port, model, stream) => ({
    port,
    path: "/v1/chat/completions",
    model,
    stream,
    headers: { "x-portkey-provider": "ollama", "x-portkey-custom-host": `http://127.0.0.1:${ollama}` },
  }),
};
