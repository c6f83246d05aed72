import { copyFileSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { npmCi } from "../../scripts/node/install.mjs";
import { step } from "../../host/progress.ts";
import { artefact, keyOfFolder } from "../../toolchain/cache.ts";
import { freePort } from "../../host/free-port.ts";
import { PinnedProcess } from "../pinned-process.ts";
import type { Peer } from "./peer.ts";

const pins = join(import.meta.dirname, "portkey");
let server = "";
let ollamaUrl = "";

/** Portkey's gateway in front of Ollama's `/v1`, because it does not support Ollama's own API. */
export const portkey: Peer = {
  name: "Portkey",
  isOurs: false,

  async prepare() {
    const folder = await artefact("bench-portkey", keyOfFolder(pins), (partial) =>
      step("Portkey from npm", 10, () => {
        for (const file of ["package.json", "package-lock.json"])
          copyFileSync(join(pins, file), join(partial, file));
        npmCi(partial);
        return Promise.resolve();
      }),
    );
    const modules = join(folder, "node_modules");
    server = join(modules, "@portkey-ai", "gateway", "build", "start-server.js");
    return (
      `${versionOf(modules, "@portkey-ai/gateway")} from npm with \`@hono/node-server\` ` +
      `${versionOf(modules, "@hono/node-server")}, on Node.js ${process.versions.node}, provider \`ollama\`, which uses ` +
      "Ollama's `/v1/chat/completions`"
    );
  },

  async start(ollamaPort, folder) {
    const port = await freePort();
    ollamaUrl = `http://127.0.0.1:${ollamaPort}`;
    return await PinnedProcess.start({
      command: [process.execPath, server, "--headless", `--port=${port}`],
      env: { NODE_ENV: "production" },
      port,
      readyPath: "/",
      output: openSync(join(folder, "portkey.log"), "a"),
    });
  },

  request: (port, model, stream) => ({
    port,
    path: "/v1/chat/completions",
    model,
    stream,
    headers: { "x-portkey-provider": "ollama", "x-portkey-custom-host": ollamaUrl },
  }),
};

function versionOf(modules: string, name: string): string {
  const { version } = JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}
