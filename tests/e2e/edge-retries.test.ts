import { fetch } from "undici";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type EdgeContainer, startEdge } from "../../test-support/stack/edge-container.ts";

// The edge with the configuration that a stack's has, and gateways that break at a given moment.

let edge: EdgeContainer;

interface Question {
  readonly method?: string;
  readonly path?: string;
  /** Bytes of the body; none by default. */
  readonly length?: number;
  /** Whether the request says how long it is. */
  readonly isChunked?: boolean;
  readonly headers?: Record<string, string>;
}

/** @param die which gateways break when they have received it; none by default */
function ask(name: string, question: Question, die?: "first" | "all") {
  const { method = "POST", path = "/v1/chat/completions", length = 0, isChunked = false, headers } = question;
  const body = Buffer.alloc(length, "x");
  return fetch(edge.url + path, {
    method,
    headers: { question: name, ...headers, ...(die === undefined ? {} : { die }) },
    ...(length === 0 ? {} : { body: isChunked ? new Blob([body]).stream() : body, duplex: "half" }),
  });
}

async function reached(name: string): Promise<string[] | undefined> {
  const response = await fetch(`${edge.url}/reached`);
  return ((await response.json()) as Record<string, string[]>)[name];
}

/** Waits until both gateways take requests, and the edge sends them to the first. */
async function bothAreBack(): Promise<void> {
  const firstResponds = async () => {
    await fetch(`${edge.url}/restore`);
    const response = await fetch(edge.url, { method: "POST", body: "x" });
    expect(await response.json()).toEqual({ gateway: "first", bytes: 1 });
  };
  await vi.waitFor(firstResponds, { timeout: 15_000, interval: 100 });
}

beforeAll(async () => {
  const program = "tests/e2e/dying-gateway.ts";
  edge = await startEdge({ name: "ollama-stack-retries", mode: "http", program, ports: [8001, 8002] });
});
afterAll(() => edge.dispose());

const questions: readonly [string, Question][] = [
  ["a question", { length: 1000 }],
  ["a long question", { length: 999_999 }],
  ["a question of untold length", { length: 5000, isChunked: true }],
  ["a question with images", { length: 3_000_000 }],
  ["a model's file", { length: 5000, path: "/api/blobs/sha256:0" }],
  ["a deletion", { length: 20, method: "DELETE", path: "/api/delete" }],
];

describe("a request that breaks its gateway", () => {
  // Connections to a gateway that had a request before are there: Go's client sends some requests again on its own.
  const bodiless: readonly [string, Question][] = [
    ["GET", { method: "GET", path: "/v1/models" }],
    ["HEAD", { method: "HEAD", path: "/v1/models" }],
    ["a POST without a body that says it may be sent twice", { headers: { "Idempotency-Key": "1" } }],
    ["the same, by another name", { headers: { "X-Idempotency-Key": "1" } }],
  ];

  it.each([...questions, ...bodiless])(
    "reached no other: %s once killed both, five times each",
    async (name, question) => {
      await bothAreBack();
      const response = await ask(name, question, "all");
      expect(response.status).toBe(502);
      // OpenAI's and Anthropic's SDKs do not send it again then.
      expect(response.headers.get("x-should-retry")).toBe("false");
      if (question.method !== "HEAD")
        expect(await response.json()).toMatchObject({ error: { code: "gateway_unreachable" } });
      expect(await reached(name)).toEqual(["first"]);
    },
  );
});

describe("while a gateway is away and the edge does not know it yet", () => {
  it.each(questions)("the other one gets all of %s", async (name, question) => {
    await bothAreBack();
    await ask("what breaks it", { length: 1 }, "first");
    const response = await ask(`next: ${name}`, question);
    expect(await response.json()).toEqual({ gateway: "second", bytes: question.length });
    expect(await reached(`next: ${name}`)).toEqual(["second"]);
  });
});
