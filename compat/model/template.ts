import { callTag, lookAt, toolNames } from "./script.ts";
import { mark } from "./weights.ts";

const chooseTool = toolNames
  .map((name) => `{{ if eq .Function.Name "${name}" }}{{ $tool = "${name}" }}{{ end }}`)
  .join("");

// Where Ollama puts an image: before the text, or, for what was a part of its own, after the text of the part before.
const looksAtImage = ["[img-0]", `${lookAt}\n\n[img-0]`]
  .map(
    (start) =>
      `{{ if ge (len .Content) ${start.length} }}{{ if eq (slice .Content 0 ${start.length}) ${JSON.stringify(start)} }}{{ $saw = true }}{{ end }}{{ end }}`,
  )
  .join("");

function template(canDoAll: boolean): string {
  const remember = "{{ if .Thinking }}<think>{{ $thought = true }}{{ .Thinking }}</think>{{ end }}";
  const end = mark("{{ $next }}");
  const thinkFirst = `{{ if and .Think (ne $last "assistant") }}${mark("think-{{ $next }}")}{{ else }}${end}{{ end }}`;
  return [
    `{{ $tool := "" }}{{ range .Tools }}${chooseTool}{{ end }}`,
    '{{ $last := "" }}{{ $answered := false }}{{ $thought := false }}{{ $saw := false }}',
    "{{ range .Messages }}{{ $last = .Role }}{{ $saw = false }}{{ .Role }}: ",
    '{{ if or (eq .Role "user") (eq .Role "tool") }}{{ .Content }}',
    `${looksAtImage}{{ end }}`,
    '{{ if eq .Role "assistant" }}{{ $answered = true }}{{ end }}',
    canDoAll ? remember : "",
    `{{ if .ToolCalls }}${callTag}\n{{ range .ToolCalls }}{{ .Function.Name }} {{ .Function.Arguments }}{{ end }}{{ end }}`,
    "\n{{ end }}",
    canDoAll ? "{{ if .Suffix }}{{ .Suffix }}{{ end }}" : "",
    '{{ $next := "first" }}',
    '{{ if eq $last "tool" }}{{ $next = "result" }}{{ if $thought }}{{ $next = "thoughtful" }}{{ end }}',
    '{{ else if $tool }}{{ $next = $tool }}{{ else if $saw }}{{ $next = "image" }}',
    '{{ else if $answered }}{{ $next = "again" }}{{ end }}',
    canDoAll ? thinkFirst : end,
  ].join("");
}

/**
 * The model's template, as a model that thinks has it and as one that does not. It shows the model that the
 * conversation was read (by the roles, and by what users and tools said), and ends with the token that begins the right
 * text. Ollama finds out from it what the model can do, and how its tool calls and its thinking are marked.
 */
export const templates = { thinking: template(true), plain: template(false) } as const;
