import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";

// The kernel queues one or two connections with this backlog.
const backlog = 1;
const tries = 8;

const server = `
  const { createServer } = require("node:http");
  const models = [{ name: "m:latest", model: "m:latest", digest: "d" }];
  const json = { "/api/version": { version: "0" }, "/api/ps": { models }, "/api/tags": { models } };
  createServer(({ url }, response) => {
    const known = json[url];
    if (known !== undefined) return response.end(JSON.stringify(known));
    if (url === "/api/generate") return response.end(JSON.stringify({ model: "m", done: true }) + "\\n");
    const token = { model: "m", message: { role: "assistant", content: "Hi" }, done: false };
    response.write(JSON.stringify(token) + "\\n");
  }).listen({ host: "127.0.0.1", port: 0, backlog: ${String(backlog)} }, function () {
    console.log(this.address().port);
  });
`;

export interface LosableServer {
  readonly port: number;
  /** Stops all responses and accepts no more connections, as if the machine had lost power. */
  lose(): void;
}

/** Starts an Ollama that begins each response and never ends it. */
export async function startLosable(): Promise<LosableServer> {
  const child: ChildProcess = spawn(process.execPath, ["--eval", server], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const waiting: Socket[] = [];
  onTestFinished(() => {
    for (const socket of waiting) socket.destroy();
    child.kill("SIGKILL");
  });
  if (child.stdout === null) throw new Error("the server has no output");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const port = Number(line);
  return {
    port,
    lose() {
      child.kill("SIGSTOP");
      // The kernel accepts connections up to the backlog and silently drops the others.
      for (let i = 0; i < tries; i++) {
        const socket = connect({ host: "127.0.0.1", port });
        socket.on("error", () => socket.destroy());
        waiting.push(socket);
      }
    },
  };
}
