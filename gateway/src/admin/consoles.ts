import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Consumer } from "../auth/consumer.ts";
import type { KeyStore } from "../auth/key-store.ts";
import { ApiError } from "../errors.ts";
import { comment, namedEvent } from "../lib/sse.ts";
import { heartbeatSeconds } from "./contract/events.ts";
import type { Overview } from "./contract/overview.ts";
import type { FinishedRequests } from "./finished-requests.ts";
import type { Viewer } from "./viewer.ts";

const MAX_CONSOLES = 32;
// Limit for a key without the admin flag, and for all such keys together, so that some are left for admins.
const MAX_OF_KEY = 8;
const MAX_WITHOUT_ADMIN = 24;

const TICK_MS = 1000;
// More than a page can show per second.
const MAX_REQUESTS_PER_TICK = 50;

// Reconnection time for browsers.
const RETRY_MS = 2000;

interface ConsoleOptions {
  readonly overviewFor: (viewer: Viewer) => Overview;
  readonly finished: FinishedRequests;
  readonly keys: Pick<KeyStore, "isEmpty" | "isCurrent">;
  /** How long a client may not read its stream, in milliseconds. */
  readonly slowReaderTimeoutMs: number;
}

interface Console {
  readonly viewer: Viewer;
  readonly keyId: string;
  readonly response: ServerResponse;
  /** The overview last sent, without fields that change by themselves. */
  shown: string;
  /** Total number of finished requests when the stream was last updated. */
  written: number;
  wroteAt: number;
  /** Since when the client has been behind. */
  behindSince: number | undefined;
}

/** The open event streams. Streams whose client is behind are skipped, so that nothing piles up. */
export class Consoles {
  readonly #options: ConsoleOptions;
  readonly #open = new Set<Console>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ConsoleOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /**
   * Opens a stream that ends when its client disconnects.
   *
   * @throws ApiError `consoles_full`
   */
  open(request: FastifyRequest, reply: FastifyReply, viewer: Viewer): void {
    this.#requireRoom(viewer);
    request.record.isEndless = true;
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream; charset=utf-8",
      // Disables response buffering in nginx.
      "x-accel-buffering": "no",
    });
    const opened: Console = {
      viewer,
      keyId: request.keyId,
      response,
      shown: "",
      written: this.#options.finished.written,
      wroteAt: 0,
      behindSince: undefined,
    };
    this.#open.add(opened);
    response.on("close", () => {
      this.#open.delete(opened);
      if (this.#open.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    this.#update(opened, new Map());
    this.#timer ??= setInterval(() => {
      this.#tick();
    }, TICK_MS).unref();
  }

  /** Ends all streams. */
  close(): void {
    for (const { response } of this.#open) response.end();
  }

  #requireRoom({ admin, consumer }: Viewer): void {
    if (this.#open.size >= MAX_CONSOLES) throw full(MAX_CONSOLES, "");
    if (admin) return;
    const ordinary = [...this.#open].filter(({ viewer }) => !viewer.admin);
    if (ordinary.length >= MAX_WITHOUT_ADMIN)
      throw full(MAX_WITHOUT_ADMIN, " for keys without the admin flag");
    const own = ordinary.filter(({ viewer }) => viewer.consumer.name === consumer.name);
    if (own.length >= MAX_OF_KEY) throw full(MAX_OF_KEY, " for one key");
  }

  #tick(): void {
    const overviews = new Map<Consumer, RenderedOverview>();
    for (const each of this.#open) this.#update(each, overviews);
  }

  #update(to: Console, overviews: Map<Consumer, RenderedOverview>): void {
    const { viewer, response } = to;
    const { keys, slowReaderTimeoutMs } = this.#options;
    if (!keys.isEmpty && !keys.isCurrent(viewer.consumer, to.keyId)) {
      // The key was revoked or changed; the client learns why when it reconnects. If it does not read, the stream would
      // never end.
      if (response.writableEnded || response.writableNeedDrain) response.destroy();
      else response.end();
      return;
    }
    const now = performance.now();
    if (response.writableNeedDrain) {
      to.behindSince ??= now;
      if (now - to.behindSince > slowReaderTimeoutMs) response.destroy();
      return;
    }
    to.behindSince = undefined;
    const text = this.#overviewEvent(to, overviews) + this.#requestEvents(to);
    if (text === "" && now - to.wroteAt < heartbeatSeconds * 1000) return;
    to.wroteAt = now;
    response.write(text === "" ? comment("alive") : text);
  }

  #overviewEvent(to: Console, overviews: Map<Consumer, RenderedOverview>): string {
    const { consumer } = to.viewer;
    let drawn = overviews.get(consumer);
    if (drawn === undefined) {
      drawn = draw(this.#options.overviewFor(to.viewer));
      overviews.set(consumer, drawn);
    }
    if (drawn.lasting === to.shown) return "";
    to.shown = drawn.lasting;
    return drawn.event;
  }

  #requestEvents(to: Console): string {
    const { finished } = this.#options;
    if (finished.written === to.written) return "";
    const { shown, skipped } = finished.since(to.written, to.viewer, MAX_REQUESTS_PER_TICK);
    to.written = finished.written;
    const requests = shown.map((each) => namedEvent("request", JSON.stringify(each))).join("");
    return skipped === 0 ? requests : namedEvent("skipped", JSON.stringify({ requests: skipped })) + requests;
  }
}

/** @param whose completes "open consoles" */
function full(limit: number, whose: string): ApiError {
  return new ApiError("consoles_full", {
    message: `The limit of ${limit} open consoles${whose} is reached. Close one, or retry later.`,
  });
}

/** An overview as sent, and as compared for changes. */
interface RenderedOverview {
  readonly event: string;
  readonly lasting: string;
}

function draw(overview: Overview): RenderedOverview {
  const lasting = {
    ...overview,
    at: "",
    backends: overview.backends.map((each) => ({ ...each, probe_ms: each.probe_ms === null })),
    requests: overview.requests.map((each) => ({ ...each, age_ms: 0 })),
  };
  return { event: namedEvent("overview", JSON.stringify(overview)), lasting: JSON.stringify(lasting) };
}
