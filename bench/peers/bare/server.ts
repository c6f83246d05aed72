// The gateway's frameworks with a minimal translation that checks nothing, to measure what they cost by themselves.
import Fastify from "fastify";
import { Pool } from "undici";

interface Chat {
  readonly model: string;
  readonly messages: readonly object[];
  readonly stream: boolean;
}

interface Line {
  readonly message: { readonly content: string };
  readonly done: boolean;
  readonly eval_count?: number;
  readonly prompt_eval_count?: number;
}

const ollama = new Pool(`http://127.0.0.1:${process.env["LLM_SERVICE_PORT"] ?? ""}`, { pipelining: 1 });
const app = Fastify();

app.get("/ready", () => ({}));

app.post<{ Body: Chat }>("/v1/chat/completions", async ({ body: { model, messages, stream } }, reply) => {
  const response = await ollama.request({
    method: "POST",
    path: "/api/chat",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, messages, stream }),
  });
  if (!stream) {
    const { message, eval_count, prompt_eval_count } = JSON.parse(await response.body.text()) as Line;
    const usage = { prompt_tokens: prompt_eval_count, completion_tokens: eval_count };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    return { id: "chatcmpl-1", object: "chat.completion", created: 1, model, choices, usage };
  }
  reply.hijack();
  reply.raw.writeHead(200, { "content-type": "text/event-stream" });
  let rest = "";
  response.body
    .setEncoding("utf8")
    .on("data", (piece: string) => {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      reply.raw.write(lines.map((line) => eventOf(JSON.parse(line) as Line)).join(""));
    })
    .on("end", () => reply.raw.end());
  return reply;
});

await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"]) });

function eventOf({ message, done }: Line): string {
  const head = 'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"choices":[{"index":0,';
  if (!done)
    return `${head}"delta":{"content":${JSON.stringify(message.content)}},"finish_reason":null}]}\n\n`;
  return `${head}"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`;
}
