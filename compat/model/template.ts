import { callTag, imagePrompt, toolNames } from "./script.ts";
import { stateToken } from "./weights.ts";

const chooseTool = toolNames
  .map((name) => `{{ if eq .Function.Name "${name}" }}{{ $tool = "${name}" }}{{ end }}`)
  .join("");

// Ollama puts an image before the text or, if it was a separate content part, after the text of the previous part.
const detectImage = ["[img-0]", `${imagePrompt}\n\n[img-0]`]
  .map(
    (start) =>
      `{{ if ge (len .Content) ${start.length} }}{{ if eq (slice .Content 0 ${start.length}) ${JSON.stringify(start)} }}{{ $saw = true }}{{ end }}{{ end }}`,
  )
  .join("");

function template(hasAllCapabilities: boolean): string {
  const remember = "{{ if .Thinking }}<think>{{ $thought = true }}{{ .Thinking }}</think>{{ end }}";
  const end = stateToken("{{ $next }}");
  const thinkFirst = `{{ if and .Think (ne $last "assistant") }}${stateToken("think-{{ $next }}")}{{ else }}${end}{{ end }}`;
  return [
    `{{ $tool := "" }}{{ range .Tools }}${chooseTool}{{ end }}`,
    '{{ $last := "" }}{{ $replied := false }}{{ $thought := false }}{{ $saw := false }}',
    "{{ range .Messages }}{{ $last = .Role }}{{ $saw = false }}{{ .Role }}: ",
    '{{ if or (eq .Role "user") (eq .Role "tool") }}{{ .Content }}',
    `${detectImage}{{ end }}`,
    '{{ if eq .Role "assistant" }}{{ $replied = true }}{{ end }}',
    hasAllCapabilities ? remember : "",
    `{{ if .ToolCalls }}${callTag}\n{{ range .ToolCalls }}{{ .Function.Name }} {{ .Function.Arguments }}{{ end }}{{ end }}`,
    "\n{{ end }}",
    hasAllCapabilities ? "{{ if .Suffix }}{{ .Suffix }}{{ end }}" : "",
    '{{ $next := "first" }}',
    '{{ if eq $last "tool" }}{{ $next = "result" }}{{ if $thought }}{{ $next = "thoughtful" }}{{ end }}',
    '{{ else if $tool }}{{ $next = $tool }}{{ else if $saw }}{{ $next = "image" }}',
    '{{ else if $replied }}{{ $next = "again" }}{{ end }}',
    hasAllCapabilities ? thinkFirst : end,
  ].join("");
}

/**
 * The chat templates, with and without thinking. A template evaluates the conversation and ends the prompt with the token
 * that begins the matching text. From the template, Ollama detects the capabilities of the model and the tags of its tool
 * calls and thinking.
 */
export const templates = { thinking: template(true), plain: template(false) } as const;
