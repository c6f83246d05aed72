import { anyKey, type Endpoint, KEY_VARIABLE, openCodeConfig, outputRoom } from "./client-recipes.ts";

/** How a program is started so that it uses the service: its arguments go before those of the user. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How to install it. */
  readonly install: string;
}

/** @param key the client's key; undefined: none is needed */
export type Launcher = (endpoint: Endpoint, key: string | undefined) => Launch;

/** The clients that `npm run client` starts. */
export const launches: Readonly<Record<string, Launcher>> = {
  codex: ({ model, ...endpoint }, key) => ({
    command: "codex",
    args: [...codexSettings(endpoint).flatMap((line) => ["-c", line]), "-m", model],
    env: key === undefined ? {} : { [KEY_VARIABLE]: key },
    install: "npm install -g @openai/codex",
  }),
  claude: ({ url, model, contextLength }, key) => ({
    command: "claude",
    args: [],
    env: {
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_AUTH_TOKEN: key ?? anyKey,
      // A key of Anthropic's would be preferred.
      ANTHROPIC_API_KEY: "",
      ANTHROPIC_MODEL: model,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      ...(contextLength === undefined ? {} : { CLAUDE_CODE_MAX_CONTEXT_TOKENS: `${contextLength}` }),
    },
    install: "npm install -g @anthropic-ai/claude-code",
  }),
  opencode: (endpoint, key) => ({
    command: "opencode",
    args: [],
    env: {
      OPENCODE_CONFIG_CONTENT: JSON.stringify(openCodeConfig(endpoint)),
      ...(key === undefined ? {} : { [KEY_VARIABLE]: key }),
    },
    install: "npm install -g opencode-ai",
  }),
  copilot: ({ url, model, contextLength }, key) => ({
    command: "copilot",
    args: [],
    env: {
      COPILOT_PROVIDER_BASE_URL: `${url}/v1`,
      COPILOT_MODEL: model,
      ...(contextLength === undefined
        ? {}
        : { COPILOT_PROVIDER_MAX_PROMPT_TOKENS: `${contextLength - outputRoom(contextLength)}` }),
      ...(key === undefined ? {} : { COPILOT_PROVIDER_API_KEY: key }),
    },
    install: "npm install -g @github/copilot",
  }),
  qwen: ({ url, model }, key) => ({
    command: "qwen",
    args: ["--auth-type", "openai"],
    env: { OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key ?? anyKey, OPENAI_MODEL: model },
    install: "npm install -g @qwen-code/qwen-code",
  }),
  aider: ({ url, model }, key) => ({
    command: "aider",
    args: ["--model", `openai/${model}`],
    env: { OPENAI_API_BASE: `${url}/v1`, OPENAI_API_KEY: key ?? anyKey },
    install: "python3 -m pip install aider-chat",
  }),
};

function codexSettings({ url, needsKey, contextLength }: Omit<Endpoint, "model">): string[] {
  const provider = "model_providers.ollama-stack";
  return [
    'model_provider="ollama-stack"',
    `${provider}.name="ollama-stack"`,
    `${provider}.base_url="${url}/v1"`,
    `${provider}.wire_api="responses"`,
    ...(contextLength === undefined ? [] : [`model_context_window=${contextLength}`]),
    ...(needsKey ? [`${provider}.env_key="${KEY_VARIABLE}"`] : []),
  ];
}
