import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tunnel } from "../../../engine/tunnel/tunnel.ts";

// The agent runs on this machine instead of in a container, so that a test can kill it at any moment. An uncaught
// error, such as an assertion inside Node, fails the run.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-tunnel-"));
const pidFile = join(folder, "pid");
/** Has a line for each transport. */
const opened = join(folder, "opened");
const target = { network: "somewhere", image: "node", platform: "" };
const agentScript = `while [ $# -gt 3 ]; do shift; done; echo $$ > "${pidFile}"; echo >> "${opened}"; shift; exec node "$@"`;
let echo: Server;

/** Returns an environment whose Docker client is a shell script. */
function createClientEnvironment(script: string): NodeJS.ProcessEnv {
  const path = join(folder, "docker");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { PATH: [folder, dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter) };
}

async function listen(tunnel: Tunnel): Promise<number> {
  return await tunnel.listen(`127.0.0.1:${String((echo.address() as AddressInfo).port)}`);
}

/** Opens connections through a tunnel and, after their first echo, overloads it until they are closed. */
async function openBusyConnections(port: number): Promise<{ closed: Promise<unknown> }> {
  const sockets = Array.from({ length: 8 }, () => connect(port, "127.0.0.1"));
  const closed = Promise.all(
    sockets.map((socket) => new Promise((resolve) => socket.once("close", resolve))),
  );
  await Promise.all(sockets.map(receiveEcho));
  const writing = setInterval(() => {
    for (const socket of sockets) socket.write(Buffer.alloc(100_000));
  }, 1);
  return {
    closed: closed.finally(() => {
      clearInterval(writing);
    }),
  };
}

function receiveEcho(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.write("hello");
  return new Promise((resolve, reject) => {
    socket.once("data", () => {
      resolve();
    });
    socket.once("close", () => {
      reject(new Error("closed without a response"));
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
  it("reports why it cannot be opened, whenever its client exits", async () => {
    for (let round = 0; round < 32; round += 1) {
      const seconds = String((round % 8) / 100);
      const client = createClientEnvironment(
        `sleep ${seconds}; echo "docker: no such network." >&2; exit 125`,
      );
      await expect(Tunnel.open(target, client)).rejects.toThrow(
        "the tunnel into the network somewhere cannot be opened: no such network.",
      );
    }
  });

  it("closes its connections when its agent dies, and is opened again for the next ones", async () => {
    const tunnel = await Tunnel.open(target, createClientEnvironment(agentScript));
    const port = await listen(tunnel);
    for (let round = 0; round < 12; round += 1) {
      const { closed } = await openBusyConnections(port);
      await sleep(round * 3);
      process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
      await closed;
    }
    await tunnel.close();
  });

  it("is opened again only once for connections that wait for an attempt that fails", async () => {
    const tunnel = await Tunnel.open(target, createClientEnvironment(agentScript));
    const port = await listen(tunnel);
    const { closed } = await openBusyConnections(port);
    const failed = join(folder, "failed");
    createClientEnvironment(
      `if [ ! -e "${failed}" ]; then touch "${failed}"; sleep 1; exit 125; fi; ${agentScript}`,
    );
    process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
    await closed;
    rmSync(opened);
    const sockets = Array.from({ length: 8 }, () => connect(port, "127.0.0.1"));
    const echoes = await Promise.allSettled(sockets.map(receiveEcho));
    expect(echoes.filter(({ status }) => status === "fulfilled")).toHaveLength(7);
    expect(readFileSync(opened, "utf8")).toBe("\n");
    await tunnel.close();
  });

  it("closes busy connections and ends its client when it is closed", async () => {
    for (let round = 0; round < 8; round += 1) {
      const tunnel = await Tunnel.open(target, createClientEnvironment(agentScript));
      const { closed } = await openBusyConnections(await listen(tunnel));
      await sleep(round * 3);
      await tunnel.close();
      await closed;
      expect(() => process.kill(Number(readFileSync(pidFile, "utf8")), 0)).toThrow("ESRCH");
    }
  });
});
