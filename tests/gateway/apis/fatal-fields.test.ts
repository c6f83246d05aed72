import { describe, expect, test } from "vitest";
import { FATAL_OPTIONS } from "../../../gateway/src/apis/common/fatal-options.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

describe("templates", () => {
  test.each([
    "{{range 2000000000}}x{{end}}",
    "{{ $n := 2000000000 }}{{ range $n }}x{{ end }}",
    "{{- range $i := 2000000000 -}}x{{- end -}}",
    "{{range (len .Prompt)}}{{range (len $.Prompt)}}{{$.Prompt}}{{end}}{{end}}",
    '{{define "x"}}{{template "x"}}{{template "x"}}{{end}}{{template "x"}}',
    '{{printf "%999999d" 1}}',
    '{{"}}{{"}}{{range 2000000000}}x{{end}}',
    "{{range .Messages}}".repeat(4) + "{{end}}".repeat(4),
    `{{ .Prompt ${"| js ".repeat(40)}}}`,
    `{{ $a := print .Prompt .Prompt }}${"{{ $a = print $a $a }}".repeat(40)}{{ $a }}`,
    `${"{{ with json .Prompt }}{{ with json . }}".repeat(20)}{{ . }}${"{{ end }}".repeat(40)}`,
    `{{ json ${"(json ".repeat(40)}.Prompt${")".repeat(40)} }}`,
    '{{ "}}" | js }}',
    "{{/* }} */}}{{ .Prompt }}",
  ])("rejects a template that exhausts the memory of Ollama's server: %s", async (template) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", template });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'template'");
    expect(fake.received).toHaveLength(0);
  });

  test("rejects a template that repeats a long prompt a thousand times", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const body = { model: "m", prompt: "x".repeat(100_000), template: "{{.Prompt}}".repeat(1000) };
    const response = await gateway.post("/api/generate", body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("it repeats the request too often");
    expect(fake.received).toHaveLength(0);
  });

  test.each([
    "{{ .System }} {{ .Prompt }}",
    '{{/* a comment */}}{{- if and .System (ne .System "js | print") }}print json {{ .System }}{{ else }}-{{ end }}',
    "{{ range .Messages }}{{ $last := eq (len (slice $.Messages 0)) 1 }}{{ json .Content }}{{ end }}",
    '{{- range $i, $_ := .Messages }}{{ if eq .Role "user" }}{{ .Content }}{{ end }}{{ end }}',
    "{{- if .Tools }}{{- range $.Tools }}{{ json . }}{{- end }}{{- end }}",
  ])("accepts an ordinary template: %s", async (template) => {
    const fake = await startFake();
    fake.respondWith(last());
    const gateway = await startGateway(fake);
    const body = { model: "m", prompt: "Hi", stream: false, template };
    expect((await gateway.post("/api/generate", body)).status).toBe(200);
  });
});

test.each([[[-5]], [["x"]], ["text"], [[1.5]], [[1e300]]])(
  "rejects context %j, which crashes Ollama's server",
  async (context) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", context });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'context'");
  },
);

test("passes a context on only if the model has all its tokens", async () => {
  const fake = await startFake();
  fake.modelInfo = { "llama.vocab_size": 49_152 };
  fake.respondWith(last());
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

const routes = [
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 1 }],
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
  ["/api/embed", { model: "m", input: "Hi" }],
  ["/api/embeddings", { model: "m", prompt: "Hi" }],
  ["/api/show", { model: "m" }],
] as const;

describe.each(routes)("%s", (path, body) => {
  test("rejects options that crash the model's runner", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    for (const [name, { fatal }] of Object.entries(FATAL_OPTIONS)) {
      for (const value of fatal) {
        const response = await gateway.post(path, { ...body, options: { [name]: value } });
        expect(response.status, `${name} ${value}`).toBe(400);
        expect(await response.text()).toContain(`options.${name}`);
      }
    }
    expect(fake.received).toHaveLength(0);
  });
});

describe.each(routes)("%s", (path, body) => {
  test("rejects stop sequences that would occupy Ollama at every token", async () => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    for (const stop of [Array.from({ length: 65 }, () => "x"), ["x".repeat(1025)], "x".repeat(1025)]) {
      const response = await gateway.post(path, { ...body, options: { stop } });
      expect(response.status).toBe(400);
      expect(await response.text()).toContain("options.stop");
    }
    expect(fake.received).toHaveLength(0);
  });
});

test.each([
  ["/v1/chat/completions", "stop", hello],
  ["/v1/completions", "stop", { model: "m", prompt: "Hi" }],
  ["/v1/messages", "stop_sequences", { ...hello, max_tokens: 1 }],
] as const)("%s accepts a limited number of short values of %s", async (path, name, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const stops of [Array.from({ length: 65 }, () => "x"), ["x".repeat(1025)]]) {
    const response = await gateway.post(path, { ...body, [name]: stops });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(name);
  }
  expect(fake.received).toHaveLength(0);
  fake.respondWith(last());
  const stops = Array.from({ length: 64 }, () => "x".repeat(1024));
  expect((await gateway.post(path, { ...body, [name]: stops })).status).toBe(200);
  expect(fake.received.at(-1)).toMatchObject({ body: { options: { stop: stops } } });
});

test("passes on unchanged the options that the runner accepts", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const [name, { allowed }] of Object.entries(FATAL_OPTIONS)) {
    for (const value of [...allowed, null]) {
      fake.respondWith(last());
      const body = { model: "m", prompt: "Hi", stream: false, options: { [name]: value } };
      expect((await gateway.post("/api/generate", body)).status, `${name} ${value}`).toBe(200);
      expect(fake.received.at(-1)).toMatchObject({ body: { options: { [name]: value } } });
    }
  }
});

test.each([
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 1 }],
] as const)("%s rejects a temperature so small that it crashes the runner", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const temperature of FATAL_OPTIONS.temperature.fatal) {
    const response = await gateway.post(path, { ...body, temperature });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'temperature'");
  }
  expect(fake.received).toHaveLength(0);
});

test.each(["/api/chat", "/api/generate"])(
  "%s rejects _debug_render_only, whose response would be a line of any length",
  async (path) => {
    const fake = await startFake();
    const gateway = await startGateway(fake);
    const body = { ...hello, prompt: "Hi", stream: false };
    const response = await gateway.post(path, { ...body, _debug_render_only: true });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("'_debug_render_only'");
    expect(fake.received).toHaveLength(0);
    expect((await gateway.post(path, { ...body, _debug_render_only: false })).status).toBe(200);
  },
);
