import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import { metric, startFake, startGateway, type TestGateway } from "./gateway-harness.ts";

export interface Two {
  readonly left: FakeOllama;
  readonly right: FakeOllama;
  readonly gateway: TestGateway;
}

/**
 * Starts a gateway in front of two servers, and waits until it sees both up. The right server runs twice as many
 * requests at once.
 *
 * @param headers a key, if the gateway requires one
 */
export async function startTwo(
  prepare: (left: FakeOllama, right: FakeOllama) => void,
  environment: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Two> {
  const [left, right] = await Promise.all([startFake(), startFake()]);
  prepare(left, right);
  const gateway = await startGateway(left, {
    LLM_BACKENDS: `127.0.0.1:${left.port}, 127.0.0.1:${right.port}*2`,
    OLLAMA_NUM_PARALLEL: "1",
    POLL_INTERVAL_MS: "50",
    ...environment,
  });
  for (const { port } of [left, right])
    await metric(gateway.url, `gateway_backend_up{backend="127.0.0.1:${port}"} 1`, { headers });
  return { left, right, gateway };
}

/** Number of requests that each server has received. */
export function count({ left, right }: Two): [number, number] {
  return [left.received.length, right.received.length];
}

interface Hanging {
  readonly port: number;
  /** The connections on which a request arrived. */
  readonly hung: readonly Socket[];
  /** Frees the port and keeps the connections open. */
  stopListening(): void;
}

/** Accepts connections on a port and never responds. */
export async function startHanging(port = 0): Promise<Hanging> {
  const hung: Socket[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.once("data", () => hung.push(socket)).on("error", () => socket.destroy());
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const stopListening = (): void => void server.close();
  return { port: (server.address() as AddressInfo).port, hung, stopListening };
}
