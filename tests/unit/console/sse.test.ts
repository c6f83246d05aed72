import { describe, expect, it } from "vitest";
import { readServerSentEvents, SseParser } from "../../../console/src/lib/sse.ts";

function parsed(...pieces: readonly string[]): object[] {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
}

describe("a stream of server-sent events", () => {
  it("is read wherever it is cut", () => {
    const stream = 'event: overview\r\ndata: {"a":\r\ndata: 1}\r\n\r\n: comment\ndata:two\n\ndata: three\r\r';
    const whole = [
      { event: "overview", data: '{"a":\n1}' },
      { event: "message", data: "two" },
      { event: "message", data: "three" },
    ];
    expect(parsed(`${stream}\n`)).toEqual(whole);
    for (let at = 1; at < stream.length; at++)
      expect(parsed(stream.slice(0, at), `${stream.slice(at)}\n`)).toEqual(whole);
    expect(parsed(...stream.split(/(?:)/u), "\n")).toEqual(whole);
  });

  it("has no events of comments, of empty lines, or of a half that was cut off", () => {
    expect(parsed(": loading\n\n", "\n\n", "event: x\n\n", "data: half\n")).toEqual([]);
  });

  it("ends with an error if a line never ends", () => {
    const piece = "x".repeat(1024 * 1024);
    expect(() => parsed(...Array.from({ length: 17 }, () => piece))).toThrow("too long");
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

  it("keeps characters that are cut between two pieces", async () => {
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
