import { describe, expect, it } from "vitest";
import { readServerSentEvents, SseParser } from "../../../console/src/lib/sse.ts";

function parse(...chunks: readonly string[]): object[] {
  const parser = new SseParser();
  return chunks.flatMap((chunk) => parser.push(chunk));
}

describe("a stream of server-sent events", () => {
  it("is parsed regardless of where it is split into chunks", () => {
    const stream = 'event: overview\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: comment\ndata:two\n\ndata: three\r\r';
    const expected = [
      { event: "overview", data: '{"a":\n1}' },
      { event: "message", data: "two" },
      { event: "message", data: "three" },
    ];
    expect(parse(`${stream}\n`)).toEqual(expected);
    for (let at = 1; at < stream.length; at++)
      expect(parse(stream.slice(0, at), `${stream.slice(at)}\n`)).toEqual(expected);
    expect(parse(...stream.split(/(?:)/u), "\n")).toEqual(expected);
  });

  it("has no events for comments, empty lines or an event without its end", () => {
    expect(parse(": loading\n\n", "\n\n", "event: x\n\n", "data: half\n")).toEqual([]);
  });

  it("fails if a line never ends", () => {
    const chunk = "x".repeat(1024 * 1024);
    expect(() => parse(...Array.from({ length: 17 }, () => chunk))).toThrow("too long");
  });

  it("cancels the response when its reader stops", async () => {
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("data: 1\n\n"));
      },
      cancel() {
        isCancelled = true;
      },
    });
    for await (const { data } of readServerSentEvents(body)) {
      expect(data).toBe("1");
      break;
    }
    expect(isCancelled).toBe(true);
  });

  it("keeps characters that are split between two chunks", async () => {
    const bytes = new TextEncoder().encode("data: über 🦙\n\n");
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const events: object[] = [];
    for await (const event of readServerSentEvents(body)) events.push(event);
    expect(events).toEqual([{ event: "message", data: "über 🦙" }]);
  });
});
