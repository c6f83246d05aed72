import { type GatewayAddress, requestGateway } from "./gateway-request.ts";

interface SampleResponse {
  readonly text: string;
  readonly seconds: number;
  /** Why this machine does not trust the server's certificate, if it does not. */
  readonly untrusted?: string | undefined;
}

const withinMs = 180_000;

/** Sends a sample prompt to the deployed gateway, without a proxy and to its published address. */
export async function requestSampleResponse(gateway: GatewayAddress, model: string): Promise<SampleResponse> {
  const started = performance.now();
  const body = JSON.stringify({
    model,
    max_tokens: 100,
    messages: [{ role: "user", content: "Tell me a short joke." }],
  });
  const options = { body, withinMs };
  const { status, text, untrusted } = await requestGateway(gateway, "/v1/chat/completions", options);
  if (status !== 200) throw new Error(`the gateway responded with ${String(status)}: ${text}`);
  const { choices } = JSON.parse(text) as { choices: { message: { content: string } }[] };
  const seconds = (performance.now() - started) / 1000;
  return { text: choices[0]?.message.content ?? "", seconds, untrusted };
}
