interface Answer {
  readonly text: string;
  readonly seconds: number;
}

/** Asks the deployed gateway for a joke, as any client would. */
export async function askForJoke(gatewayUrl: string, model: string, apiKey?: string): Promise<Answer> {
  const started = performance.now();
  const response = await fetch(`${gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify({
      model,
      max_tokens: 100,
      messages: [{ role: "user", content: "Tell me a short joke." }],
    }),
    signal: AbortSignal.timeout(180_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the gateway answered ${String(response.status)}: ${text}`);
  const { choices } = JSON.parse(text) as { choices: { message: { content: string } }[] };
  return { text: choices[0]?.message.content ?? "", seconds: (performance.now() - started) / 1000 };
}
