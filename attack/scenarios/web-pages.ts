import type { Scenario } from "../scenario.ts";
import { summarize, type Target } from "../target.ts";
import { withGateway } from "../extra-gateway.ts";

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
    name: "DNS rebinding: foreign host names sent to a gateway without keys",
    expected: "421 or another 4xx; the gateway's own names get 200",
    run: ({ direct, countTries, reportProblem }) =>
      withGateway(direct, {}, async (gateway) => {
        for (const host of foreignHosts)
          for (const [method, path, body] of requests(direct.model)) {
            const reply = await gateway.send(path, { method, body, key: "none", headers: { host } });
            countTries();
            if (reply.status < 400 || reply.status > 499)
              reportProblem(`${method} ${path} for ${host}: ${summarize(reply)}`);
          }
        const { port } = gateway.deployment;
        for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`, "LOCALHOST"]) {
          const reply = await gateway.send("/v1/models", { key: "none", headers: { host } });
          countTries();
          if (reply.status !== 200) reportProblem(`its own name ${host}: ${summarize(reply)}`);
        }
      }),
  },
  {
    section: 5,
    name: "the same names sent to the edge",
    expected: "no response from a gateway",
    run: async ({ edge, countTries, reportProblem }) => {
      for (const host of foreignHosts) {
        const reply = await edge.send("/v1/models", { headers: { host } });
        countTries();
        if (reply.text.includes(edge.model)) reportProblem(`${host}: ${summarize(reply)}`);
      }
    },
  },
  {
    section: 5,
    name: "requests that a foreign web page may send without a preflight",
    expected: "nothing runs, and the page can read nothing",
    run: ({ direct, countTries, reportProblem }) =>
      withGateway(direct, {}, async (gateway) => {
        const origins = ["http://evil.example", "null", "http://localhost.evil.example"];
        for (const origin of origins) await sendFromPage(gateway, origin, { countTries, reportProblem });
      }),
  },
];

/** Without a preflight, a page may only post text and forms; it may only read responses that allow its origin. */
async function sendFromPage(
  gateway: Target,
  origin: string,
  {
    countTries,
    reportProblem,
  }: { readonly countTries: () => void; readonly reportProblem: (problem: string) => void },
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
      countTries();
      if (reply.status < 400) reportProblem(`${path} as ${type}: ${summarize(reply)}`);
    }
  for (const method of ["GET", "OPTIONS"]) {
    const headers = {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type",
    };
    const reply = await gateway.send("/v1/models", { method, key: "none", headers });
    countTries();
    if (reply.headers["access-control-allow-origin"] !== undefined)
      reportProblem(
        `${method} /v1/models lets ${origin} read: ${String(reply.headers["access-control-allow-origin"])}`,
      );
  }
}
