import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { RedisServer } from "./redis-server.ts";

interface Held {
  readonly upstream: Socket;
  readonly commands: Buffer[];
  readonly replies: Buffer[];
  /** Whether replies are held back, instead of commands. */
  readonly holdsReplies: boolean;
}

/** A relay between a gateway and its Redis. Like a slow network, it holds back the traffic that a test selects. */
export class RedisRelay {
  readonly #redis: RedisServer;
  readonly #held = new Map<Socket, Held>();
  #port = 0;
  /** Holds back a connection's commands from the first piece on for which this returns true. */
  holds: (piece: string, sentBefore: string) => boolean = () => false;
  /** Holds back the replies to a piece, and all later replies of its connection. */
  holdsReplies: (piece: string) => boolean = () => false;
  readonly #server = createServer((client) => {
    this.#relay(client);
  });

  private constructor(redis: RedisServer) {
    this.#redis = redis;
  }

  static async start(redis: RedisServer): Promise<RedisRelay> {
    const relay = new RedisRelay(redis);
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    relay.#port = (relay.#server.address() as AddressInfo).port;
    onTestFinished(() => {
      relay.breakHeld();
      relay.#server.close();
    });
    return relay;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Number of connections that are held back. */
  get held(): number {
    return this.#held.size;
  }

  /** Forwards the held traffic and all further traffic. */
  release(): void {
    this.holds = () => false;
    this.holdsReplies = () => false;
    for (const [client, { upstream, commands, replies }] of this.#held) {
      for (const piece of commands) upstream.write(piece);
      for (const piece of replies) client.write(piece);
    }
    this.#held.clear();
  }

  /** Breaks off the connections that are held back. */
  breakHeld(): void {
    for (const [client, { upstream }] of this.#held) {
      client.destroy();
      upstream.destroy();
    }
    this.#held.clear();
  }

  #relay(client: Socket): void {
    const upstream = connect(this.#redis.port, "127.0.0.1");
    let sent = "";
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#held.delete(client);
        other.destroy();
      });
    }
    upstream.on("data", (piece) => {
      const held = this.#held.get(client);
      if (held?.holdsReplies === true) held.replies.push(piece);
      else client.write(piece);
    });
    client.on("data", (piece) => {
      const held = this.#held.get(client);
      if (held?.holdsReplies === false) {
        held.commands.push(piece);
        return;
      }
      const text = piece.toString("latin1");
      const isHeld = this.holds(text, sent);
      sent += text;
      if (isHeld) this.#held.set(client, { upstream, commands: [piece], replies: [], holdsReplies: false });
      else {
        if (this.holdsReplies(text))
          this.#held.set(client, { upstream, commands: [], replies: [], holdsReplies: true });
        upstream.write(piece);
      }
    });
  }
}
