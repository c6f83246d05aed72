import { describe, expect, test } from "vitest";
import { last } from "../../../test-support/fake-ollama.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway-harness.ts";

describe("a template that fills the memory of Ollama's server", () => {
  test.each([
    "{{range 2000000000}}x{{end}}",
    "{{ $n := 2000000000 }}{{ range $n }}x{{ end }}",
    "{{- range $i := 2000000000 -}}x{{- end -}}",
    "{{range (len .Prompt)}}{{range (len $.Prompt)}}{{$.Prompt}}{{end}}{{end}}",
    '{{define "x"}}{{template "x"}}{{template "x"}}{{end}}{{template "x"}}',
    '{{printf "%999999d" 1}}',
    '{{"}}{{"}}{{range 2000000000}}x{{end}}',
    "{{range .Messages}}".repeat(4) + "{{end}}".repeat(4),
  ])("is refused: %s", async (template) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", template });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'template'");
    expect(fake.received).toHaveLength(0);
  });

  test.each([
    "{{ .System }} {{ .Prompt }}",
    '{{- range $i, $_ := .Messages }}{{ if eq .Role "user" }}{{ .Content }}{{ end }}{{ end }}',
    "{{- if .Tools }}{{- range $.Tools }}{{ json . }}{{- end }}{{- end }}",
  ])("is not one that repeats a conversation: %s", async (template) => {
    const fake = await startFake();
    fake.answers(last());
    const gateway = await startGateway(fake);
    const body = { model: "m", prompt: "Hi", stream: false, template };
    expect((await gateway.post("/api/generate", body)).status).toBe(200);
  });
});

test.each([[[-5]], [["x"]], ["text"], [[1.5]], [[1e300]]])(
  "context %j, tokens that end Ollama's server, is refused",
  async (context) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", context });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'context'");
  },
);

test("a context is passed on when the model has all of its tokens", async () => {
  const fake = await startFake();
  fake.modelInfo = { "llama.vocab_size": 49_152 };
  fake.answers(last());
  const gateway = await startGateway(fake);
  const body = { model: "m", prompt: "Hi", stream: false };
  const status = async (context: number[]) =>
    (await gateway.post("/api/generate", { ...body, context })).status;
  expect(await status([1, 49_151])).toBe(200);
  expect(await status([])).toBe(200);
  expect(await status([1, 49_152])).toBe(400);
  fake.modelInfo = {};
  expect(await status([1])).toBe(400);
});

test.each([
  ["/v1/chat/completions", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
])("%s: a repeat_last_n that takes gigabytes is refused", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post(path, { ...body, options: { repeat_last_n: 2_000_000_000 } });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain("repeat_last_n");
  expect(fake.received).toHaveLength(0);
});
