import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { freePort } from "../../host/free-port.ts";
import { PinnedProcess } from "../pinned-process.ts";
import type { Peer } from "./peer.ts";

/** The lower limit of the cost: Fastify and undici alone. */
export const bare: Peer = {
  name: "bare",
  isOurs: false,

  prepare: () =>
    Promise.resolve(
      `Fastify and undici of this gateway's versions on Node.js ${process.versions.node} with nothing else: no keys, validation, admission, metrics, log; it ignores errors and disconnects`,
    ),

  async start(ollamaPort, folder) {
    const port = await freePort();
    const home = join(folder, "bare");
    mkdirSync(home, { recursive: true });
    await build({
      entryPoints: [join(import.meta.dirname, "bare", "server.ts")],
      outfile: join(home, "server.mjs"),
      bundle: true,
      platform: "node",
      target: "node24",
      format: "esm",
      // Some dependencies are CommonJS and call require for Node.js's own modules.
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
      },
      logLevel: "error",
    });
    return await PinnedProcess.start({
      command: [process.execPath, join(home, "server.mjs")],
      env: { PORT: `${port}`, LLM_SERVICE_PORT: `${ollamaPort}` },
      port,
      readyPath: "/ready",
      output: openSync(join(folder, "bare.log"), "a"),
    });
  },

  request: (port, model, stream) => ({ port, path: "/v1/chat/completions", model, stream }),
};
