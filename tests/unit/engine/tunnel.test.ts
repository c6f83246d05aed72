import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tunnel } from "../../../engine/tunnel/tunnel.ts";

// The far end runs beside us instead of in a container, so that it can be killed at any moment. An error that nobody
// catches, such as an assertion inside of Node, fails the run.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-tunnel-"));
const pidFile = join(folder, "pid");
const end = { network: "somewhere", image: "node", platform: "" };
const farEnd = `while [ $# -gt 3 ]; do shift; done; echo $$ > "${pidFile}"; shift; exec node "$@"`;
let echo: Server;

/** An environment whose Docker client is a shell script. */
function clientIs(script: string): NodeJS.ProcessEnv {
  const path = join(folder, "docker");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { PATH: [folder, dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter) };
}

async function listen(tunnel: Tunnel): Promise<number> {
  return await tunnel.listen(`127.0.0.1:${String((echo.address() as AddressInfo).port)}`);
}

/** Connections through a tunnel that are answered, then have more to carry than it can until they are closed. */
async function busyConnections(port: number): Promise<{ closed: Promise<unknown> }> {
  const sockets = Array.from({ length: 8 }, () => connect(port, "127.0.0.1"));
  const closed = Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  await Promise.all(sockets.map(answered));
  const writing = setInterval(() => {
    for (const socket of sockets) socket.write(Buffer.alloc(100_000));
  }, 1);
  return {
    closed: closed.finally(() => {
      clearInterval(writing);
    }),
  };
}

function answered(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.write("hello");
  return new Promise((resolve, reject) => {
    socket.once("data", () => {
      resolve();
    });
    socket.once("close", () => {
      reject(new Error("closed without an answer"));
    });
  });
}

beforeAll(async () => {
  echo = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
});
afterAll(() => {
  echo.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("a tunnel", () => {
  it("that cannot be opened says why, whenever its client ends", async () => {
    for (let round = 0; round < 32; round += 1) {
      const seconds = String((round % 8) / 100);
      const client = clientIs(`sleep ${seconds}; echo "docker: no such network." >&2; exit 125`);
      await expect(Tunnel.open(end, client)).rejects.toThrow(
        "the tunnel into the network somewhere cannot be opened: no such network.",
      );
    }
  });

  it("whose far end dies in the middle breaks its connections, and is laid anew for the next", async () => {
    const tunnel = await Tunnel.open(end, clientIs(farEnd));
    const port = await listen(tunnel);
    for (let round = 0; round < 12; round += 1) {
      const { closed } = await busyConnections(port);
      await sleep(round * 3);
      process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
      await closed;
    }
    await tunnel.close();
  });

  it("that is closed in the middle ends its connections and its client", async () => {
    for (let round = 0; round < 8; round += 1) {
      const tunnel = await Tunnel.open(end, clientIs(farEnd));
      const { closed } = await busyConnections(await listen(tunnel));
      await sleep(round * 3);
      await tunnel.close();
      await closed;
      expect(() => process.kill(Number(readFileSync(pidFile, "utf8")), 0)).toThrow("ESRCH");
    }
  });
});
