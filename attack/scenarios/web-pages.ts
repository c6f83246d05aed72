import type { Scenario } from "../scenario.ts";
import { short, type Target } from "../target.ts";
import { withGateway } from "../throwaway.ts";

const foreignHosts = [
  "evil.example:8000",
  "evil.example",
  "127.0.0.1.evil.example",
  "localhost.evil.example",
  "evil-localhost",
  "localhost:8000@evil.example",
  "[::1].evil.example",
  "ollama.evil.example:11434",
  "1.2.3.4.sslip.example",
];

const requests = (model: string) =>
  [
    ["GET", "/v1/models", undefined],
    ["GET", "/api/tags", undefined],
    ["GET", "/", undefined],
    ["GET", "/metrics", undefined],
    ["GET", "/openapi.json", undefined],
    ["POST", "/api/generate", { model, prompt: "Hi", stream: false, options: { num_predict: 1 } }],
    ["POST", "/v1/chat/completions", { model, max_tokens: 1, messages: [{ role: "user", content: "Hi" }] }],
    ["DELETE", "/api/delete", { model }],
  ] as const;

export const webPages: readonly Scenario[] = [
  {
    section: 5,
    name: "names that a web page made point here, to a gateway without keys",
    expected: "421 or another 4xx; the gateway's own names get 200",
    run: ({ direct, tried, found }) =>
      withGateway(direct, {}, async (gateway) => {
        for (const host of foreignHosts)
          for (const [method, path, body] of requests(direct.model)) {
            const reply = await gateway.send(path, { method, body, key: "none", headers: { host } });
            tried();
            if (reply.status < 400 || reply.status > 499)
              found(`${method} ${path} for ${host}: ${short(reply)}`);
          }
        const { port } = gateway.place;
        for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, "LOCALHOST"]) {
          const reply = await gateway.send("/v1/models", { key: "none", headers: { host } });
          tried();
          if (reply.status !== 200) found(`its own name ${host}: ${short(reply)}`);
        }
      }),
  },
  {
    section: 5,
    name: "the same names at the edge",
    expected: "no response of a gateway",
    run: async ({ edge, tried, found }) => {
      for (const host of foreignHosts) {
        const reply = await edge.send("/v1/models", { headers: { host } });
        tried();
        if (reply.text.includes(edge.model)) found(`${host}: ${short(reply)}`);
      }
    },
  },
  {
    section: 5,
    name: "what a web page of elsewhere may send without asking first",
    expected: "no work done, nothing a page could read",
    run: ({ direct, tried, found }) =>
      withGateway(direct, {}, async (gateway) => {
        const origins = ["http://evil.example", "null", "http://localhost.evil.example"];
        for (const origin of origins) await fromPage(gateway, origin, { tried, found });
      }),
  },
];

/** A page may post text, forms and nothing else without a preflight; and read what names its origin. */
async function fromPage(
  gateway: Target,
  origin: string,
  { tried, found }: { readonly tried: () => void; readonly found: (problem: string) => void },
): Promise<void> {
  const body = JSON.stringify({
    model: gateway.model,
    max_tokens: 1,
    messages: [{ role: "user", content: "Hi" }],
  });
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a"])
    for (const path of ["/v1/chat/completions", "/api/chat", "/v1/embeddings"]) {
      const headers = { origin, "content-type": type };
      const reply = await gateway.send(path, { method: "POST", body, key: "none", headers });
      tried();
      if (reply.status < 400) found(`${path} as ${type}: ${short(reply)}`);
    }
  for (const method of ["GET", "OPTIONS"]) {
    const headers = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const reply = await gateway.send("/v1/models", { method, key: "none", headers });
    tried();
    if (reply.headers["access-control-allow-origin"] !== undefined)
      found(
        `${method} /v1/models lets ${origin} read: ${String(reply.headers["access-control-allow-origin"])}`,
      );
  }
}
