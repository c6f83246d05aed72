/** Where a client finds the service, and with which model. */
export interface Endpoint {
  /** The gateway's base URL, without a path. */
  readonly url: string;
  readonly model: string;
  readonly needsKey: boolean;
}

/** The variable that holds a client's API key. */
export const KEY_VARIABLE = "OLLAMA_STACK_API_KEY";

/** How one client is told of the service. */
export interface ClientRecipe {
  readonly title: string;
  /** Where the lines go. */
  readonly place: string;
  /** The language of the lines, for a document. */
  readonly language: "sh" | "toml" | "json" | "yaml" | "python" | "ts" | "text";
  /** The lines to paste, of a shell, a settings file or a program. */
  readonly lines: (endpoint: Endpoint) => readonly string[];
}

/** A key for clients that insist on one; without keys the gateway takes any. */
export const anyKey = "none";

const shellKey = ({ needsKey }: Endpoint): string => (needsKey ? `"$${KEY_VARIABLE}"` : anyKey);
const openAiVariables = (endpoint: Endpoint): string[] => [
  `export OPENAI_BASE_URL=${endpoint.url}/v1`,
  `export OPENAI_API_KEY=${shellKey(endpoint)}`,
];

/** What opencode reads from its file or from its environment. */
export function openCodeConfig({ url, model, needsKey }: Endpoint): object {
  return {
    model: `ollama-stack/${model}`,
    small_model: `ollama-stack/${model}`,
    provider: {
      "ollama-stack": {
        npm: "@ai-sdk/openai-compatible",
        name: "ollama-stack",
        options: { baseURL: `${url}/v1`, apiKey: needsKey ? `{env:${KEY_VARIABLE}}` : anyKey },
        models: { [model]: { name: model } },
      },
    },
  };
}

export const recipes: readonly ClientRecipe[] = [
  {
    title: "Codex CLI",
    place: "~/.codex/config.toml",
    language: "toml",
    lines: ({ url, model, needsKey }) => [
      `model = "${model}"`,
      'model_provider = "ollama-stack"',
      "",
      "[model_providers.ollama-stack]",
      'name = "ollama-stack"',
      `base_url = "${url}/v1"`,
      'wire_api = "responses"',
      ...(needsKey ? [`env_key = "${KEY_VARIABLE}"`] : []),
    ],
  },
  {
    title: "Claude Code",
    place: "the shell",
    language: "sh",
    lines: (endpoint) => [
      `export ANTHROPIC_BASE_URL=${endpoint.url}`,
      `export ANTHROPIC_AUTH_TOKEN=${shellKey(endpoint)}`,
      `export ANTHROPIC_MODEL=${endpoint.model} ANTHROPIC_DEFAULT_HAIKU_MODEL=${endpoint.model}`,
    ],
  },
  {
    title: "opencode",
    place: "opencode.json",
    language: "json",
    lines: (endpoint) => JSON.stringify(openCodeConfig(endpoint), undefined, 2).split("\n"),
  },
  {
    title: "GitHub Copilot CLI",
    place: "the shell",
    language: "sh",
    lines: (endpoint) => [
      `export COPILOT_PROVIDER_BASE_URL=${endpoint.url}/v1`,
      `export COPILOT_MODEL=${endpoint.model}`,
      ...(endpoint.needsKey ? [`export COPILOT_PROVIDER_API_KEY=${shellKey(endpoint)}`] : []),
    ],
  },
  {
    title: "GitHub Copilot in VS Code",
    place: "Chat: Manage Language Models, Add Models, Custom Endpoint",
    language: "text",
    lines: (endpoint) => [
      `URL:      ${endpoint.url}/v1/chat/completions`,
      `Model:    ${endpoint.model}`,
      `API key:  ${typedKey(endpoint)}`,
    ],
  },
  {
    title: "Cline",
    place: "its settings, API provider OpenAI Compatible",
    language: "text",
    lines: (endpoint) => [
      `Base URL: ${endpoint.url}/v1`,
      `API key:  ${typedKey(endpoint)}`,
      `Model ID: ${endpoint.model}`,
    ],
  },
  {
    title: "Continue",
    place: "~/.continue/config.yaml, under models",
    language: "yaml",
    lines: ({ url, model, needsKey }) => [
      `- name: ${model}`,
      "  provider: openai",
      `  model: ${model}`,
      `  apiBase: ${url}/v1`,
      `  apiKey: ${needsKey ? `\${{ secrets.${KEY_VARIABLE} }}` : anyKey}`,
    ],
  },
  {
    title: "Aider",
    place: "the shell",
    language: "sh",
    lines: (endpoint) => [
      `export OPENAI_API_BASE=${endpoint.url}/v1 OPENAI_API_KEY=${shellKey(endpoint)}`,
      `aider --model openai/${endpoint.model}`,
    ],
  },
  {
    title: "LiteLLM",
    place: "config.yaml",
    language: "yaml",
    lines: ({ url, model, needsKey }) => [
      "model_list:",
      `  - model_name: ${model}`,
      "    litellm_params:",
      `      model: openai/${model}`,
      `      api_base: ${url}/v1`,
      `      api_key: ${needsKey ? `os.environ/${KEY_VARIABLE}` : anyKey}`,
    ],
  },
  {
    title: "LangChain",
    place: "Python, langchain-openai",
    language: "python",
    lines: (endpoint) => [
      "from langchain_openai import ChatOpenAI",
      "",
      `llm = ChatOpenAI(base_url="${endpoint.url}/v1", api_key=${pythonKey(endpoint)}, model="${endpoint.model}")`,
    ],
  },
  {
    title: "LlamaIndex",
    place: "Python, llama-index-llms-openai-like",
    language: "python",
    lines: (endpoint) => [
      "from llama_index.llms.openai_like import OpenAILike",
      "",
      `llm = OpenAILike(model="${endpoint.model}", api_base="${endpoint.url}/v1", api_key=${pythonKey(endpoint)}, is_chat_model=True)`,
    ],
  },
  {
    title: "Pydantic AI",
    place: "Python, pydantic-ai",
    language: "python",
    lines: (endpoint) => [
      "from pydantic_ai import Agent",
      "from pydantic_ai.models.openai import OpenAIChatModel",
      "from pydantic_ai.providers.openai import OpenAIProvider",
      "",
      `provider = OpenAIProvider(base_url="${endpoint.url}/v1", api_key=${pythonKey(endpoint)})`,
      `agent = Agent(OpenAIChatModel("${endpoint.model}", provider=provider))`,
    ],
  },
  {
    title: "AI SDK",
    place: "TypeScript, @ai-sdk/openai-compatible",
    language: "ts",
    lines: (endpoint) => [
      'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";',
      "",
      `const stack = createOpenAICompatible({ name: "ollama-stack", baseURL: "${endpoint.url}/v1", apiKey: ${nodeKey(endpoint)} });`,
      `const model = stack("${endpoint.model}");`,
    ],
  },
  {
    title: "OpenAI Agents SDK",
    place: "the shell; tracing would go to OpenAI",
    language: "sh",
    lines: (endpoint) => [
      ...openAiVariables(endpoint),
      "export OPENAI_AGENTS_DISABLE_TRACING=1",
      `# the model of the agent: ${endpoint.model}`,
    ],
  },
  {
    title: "Open WebUI",
    place: "the environment of its container, with --add-host host.docker.internal:host-gateway on Linux",
    language: "sh",
    lines: (endpoint) => [
      `OPENAI_API_BASE_URL=${inContainer(endpoint.url)}/v1`,
      `OPENAI_API_KEY=${shellKey(endpoint)}`,
    ],
  },
  {
    title: "n8n",
    place: "a credential of the kind OpenAI",
    language: "text",
    lines: (endpoint) => [`API key:  ${typedKey(endpoint)}`, `Base URL: ${inContainer(endpoint.url)}/v1`],
  },
  {
    title: "Home Assistant",
    place: "the integration Ollama",
    language: "text",
    lines: (endpoint) => [
      `URL:      ${inContainer(endpoint.url)}`,
      `Model:    ${endpoint.model}`,
      ...(endpoint.needsKey ? [`API key:  ${typedKey(endpoint)}`] : []),
    ],
  },
  {
    title: "Any other client of OpenAI's API",
    place: "the shell",
    language: "sh",
    lines: (endpoint) => [...openAiVariables(endpoint), `# model: ${endpoint.model}`],
  },
  {
    title: "Any other client of Ollama's API",
    place: "the shell",
    language: "sh",
    lines: ({ url, model }) => [`export OLLAMA_HOST=${url}`, `# model: ${model}`],
  },
];

function typedKey({ needsKey }: Endpoint): string {
  return needsKey ? "your key" : "any text";
}

function pythonKey({ needsKey }: Endpoint): string {
  return needsKey ? `os.environ["${KEY_VARIABLE}"]` : `"${anyKey}"`;
}

function nodeKey({ needsKey }: Endpoint): string {
  return needsKey ? `process.env.${KEY_VARIABLE}` : `"${anyKey}"`;
}

/** A container's loopback is its own. */
function inContainer(url: string): string {
  return url.replace(/\/\/(127\.0\.0\.1|localhost)\b/, "//host.docker.internal");
}

/** The recipes as a part of a document. */
export function recipeSections(endpoint: Endpoint): string {
  return recipes
    .map(
      ({ title, place, language, lines }) =>
        `### ${title}\n\nIn ${place}:\n\n\`\`\`${language}\n${lines(endpoint).join("\n")}\n\`\`\``,
    )
    .join("\n\n");
}
