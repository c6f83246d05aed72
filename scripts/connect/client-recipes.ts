/** Where a client finds the service, and with which model. */
export interface Endpoint {
  /** The gateway's base URL, without a path. */
  readonly url: string;
  readonly model: string;
  readonly needsKey: boolean;
  /** Tokens that the model takes, if known: agents shorten a conversation before it is longer. */
  readonly contextLength?: number | undefined;
}

/** The variable that holds a client's API key. */
export const KEY_VARIABLE = "OLLAMA_STACK_API_KEY";

/** A package that tests use with the gateway. Programs are installed in this version by `npm run test:compat`. */
interface TestedPackage {
  readonly name: string;
  readonly version: string;
  readonly kind: "program" | "npm" | "python";
}

/** How one client is configured for the service. */
export interface ClientRecipe {
  readonly title: string;
  /** The file or shell for the lines. */
  readonly place: string;
  /** The packages that the recipe is tested with. Without them, it follows the client's documentation. */
  readonly tested?: readonly TestedPackage[];
  /** The language of the lines, for a document. */
  readonly language: "sh" | "toml" | "json" | "yaml" | "python" | "ts" | "text";
  /** The lines to paste, of a shell, a settings file or a program. */
  readonly lines: (endpoint: Endpoint) => readonly string[];
}

/** A key for clients that require one. Without keys, the gateway accepts any. */
export const anyKey = "none";

const shellKey = ({ needsKey }: Endpoint): string => (needsKey ? `"$${KEY_VARIABLE}"` : anyKey);
const openAiVariables = (endpoint: Endpoint): string[] => [
  `export OPENAI_BASE_URL=${endpoint.url}/v1`,
  `export OPENAI_API_KEY=${shellKey(endpoint)}`,
];

/** The part of the context that an agent reserves for a response. */
export function outputRoom(contextLength: number): number {
  return Math.min(32_000, Math.floor(contextLength / 4));
}

/** A line with the context length, if it is known. */
function ifKnown(contextLength: number | undefined, line: (tokens: number) => string): string[] {
  return contextLength === undefined ? [] : [line(contextLength)];
}

/** What opencode reads from its file or from its environment. */
export function openCodeConfig({ url, model, needsKey, contextLength }: Endpoint): object {
  const limit = contextLength && { limit: { context: contextLength, output: outputRoom(contextLength) } };
  return {
    model: `ollama-stack/${model}`,
    small_model: `ollama-stack/${model}`,
    provider: {
      "ollama-stack": {
        npm: "@ai-sdk/openai-compatible",
        name: "ollama-stack",
        options: { baseURL: `${url}/v1`, apiKey: needsKey ? `{env:${KEY_VARIABLE}}` : anyKey },
        models: { [model]: { name: model, ...limit } },
      },
    },
  };
}

const program = (name: string, version: string): TestedPackage => ({ name, version, kind: "program" });
const npm = (name: string, version: string): TestedPackage => ({ name, version, kind: "npm" });
const python = (name: string, version: string): TestedPackage => ({ name, version, kind: "python" });

export const recipes: readonly ClientRecipe[] = [
  {
    title: "Codex CLI",
    place: "~/.codex/config.toml",
    tested: [program("@openai/codex", "0.171.0")],
    language: "toml",
    lines: ({ url, model, needsKey, contextLength }) => [
      `model = "${model}"`,
      'model_provider = "ollama-stack"',
      ...ifKnown(contextLength, (tokens) => `model_context_window = ${tokens}`),
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
    tested: [program("@anthropic-ai/claude-code", "2.1.332")],
    language: "sh",
    lines: (endpoint) => [
      `export ANTHROPIC_BASE_URL=${endpoint.url}`,
      `export ANTHROPIC_AUTH_TOKEN=${shellKey(endpoint)}`,
      `export ANTHROPIC_MODEL=${endpoint.model} ANTHROPIC_DEFAULT_HAIKU_MODEL=${endpoint.model}`,
      ...ifKnown(endpoint.contextLength, (tokens) => `export CLAUDE_CODE_MAX_CONTEXT_TOKENS=${tokens}`),
    ],
  },
  {
    title: "opencode",
    place: "opencode.json",
    tested: [program("opencode-ai", "1.18.33")],
    language: "json",
    lines: (endpoint) => JSON.stringify(openCodeConfig(endpoint), undefined, 2).split("\n"),
  },
  {
    title: "GitHub Copilot CLI",
    place: "the shell",
    tested: [program("@github/copilot", "1.0.102")],
    language: "sh",
    lines: (endpoint) => [
      `export COPILOT_PROVIDER_BASE_URL=${endpoint.url}/v1`,
      `export COPILOT_MODEL=${endpoint.model}`,
      ...ifKnown(
        endpoint.contextLength,
        (tokens) => `export COPILOT_PROVIDER_MAX_PROMPT_TOKENS=${tokens - outputRoom(tokens)}`,
      ),
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
    tested: [program("@continuedev/cli", "1.5.47")],
    language: "yaml",
    lines: ({ url, model, needsKey, contextLength }) => [
      `- name: ${model}`,
      "  provider: openai",
      `  model: ${model}`,
      `  apiBase: ${url}/v1`,
      `  apiKey: ${needsKey ? `\${{ secrets.${KEY_VARIABLE} }}` : anyKey}`,
      ...ifKnown(contextLength, (tokens) => `  defaultCompletionOptions: { contextLength: ${tokens} }`),
    ],
  },
  {
    title: "Aider",
    place: "the shell",
    tested: [python("aider-chat", "0.86.2")],
    language: "sh",
    lines: (endpoint) => [
      `export OPENAI_API_BASE=${endpoint.url}/v1 OPENAI_API_KEY=${shellKey(endpoint)}`,
      `aider --model openai/${endpoint.model}`,
    ],
  },
  {
    title: "LiteLLM",
    place: "config.yaml",
    tested: [python("litellm", "1.110.2")],
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
    tested: [python("langchain-openai", "1.7.4"), npm("@langchain/openai", "1.6.0")],
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
    tested: [python("llama-index-llms-openai-like", "0.8.1")],
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
    tested: [python("pydantic-ai-slim", "2.68.0")],
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
    tested: [npm("@ai-sdk/openai-compatible", "3.0.92"), npm("ai", "7.0.173")],
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
    tested: [python("openai-agents", "0.24.0"), npm("@openai/agents", "0.20.0")],
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
    tested: [npm("openai", "7.57.0"), python("openai", "3.57.0"), program("@qwen-code/qwen-code", "0.24.4")],
    language: "sh",
    lines: (endpoint) => [...openAiVariables(endpoint), `# model: ${endpoint.model}`],
  },
  {
    title: "Any other client of Ollama's API",
    place: "the shell",
    tested: [npm("ollama", "0.6.4"), python("ollama", "0.6.3")],
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
