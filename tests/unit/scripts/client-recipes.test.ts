import { describe, expect, it } from "vitest";
import { endpointOf } from "../../../scripts/connect/client-endpoint.ts";
import { launches } from "../../../scripts/connect/client-launches.ts";
import { KEY_VARIABLE, recipes } from "../../../scripts/connect/client-recipes.ts";
import type { StackOutputs } from "../../../scripts/stack/outputs.ts";

const endpoint = { url: "https://models.example.com", model: "qwen3:8b", needsKey: true };

describe("the recipe for a client", () => {
  it.each(recipes)("names the service: $title", ({ title, lines }) => {
    const text = lines(endpoint).join("\n");
    expect(text).toContain(endpoint.url);
    // These list the models themselves.
    if (title !== "n8n" && title !== "Open WebUI") expect(text).toContain(endpoint.model);
  });

  it.each(recipes)("gets the key from its variable, or leaves it to be typed: $title", ({ lines }) => {
    const [withKey, without] = [lines(endpoint), lines({ ...endpoint, needsKey: false })].map((all) =>
      all.join("\n"),
    );
    expect(without).not.toContain(KEY_VARIABLE);
    expect(without).not.toContain("your key");
    if (withKey !== without) expect(withKey).toMatch(new RegExp(`${KEY_VARIABLE}|your key`));
  });

  it("reaches a service on this machine from a container", () => {
    const local = { ...endpoint, url: "http://127.0.0.1:8000" };
    const webUi = recipes.find(({ title }) => title === "Open WebUI");
    expect(webUi?.lines(local)[0]).toBe("OPENAI_API_BASE_URL=http://host.docker.internal:8000/v1");
  });
});

describe("npm run client", () => {
  it("has Codex speak the Responses API, with the key by its variable", () => {
    const { command, args, env } = launches["codex"]?.(endpoint, "secret") ?? {};
    expect(command).toBe("codex");
    expect(args).toEqual(
      expect.arrayContaining([
        'model_providers.ollama-stack.base_url="https://models.example.com/v1"',
        'model_providers.ollama-stack.wire_api="responses"',
        `model_providers.ollama-stack.env_key="${KEY_VARIABLE}"`,
        "qwen3:8b",
      ]),
    );
    expect(args?.join(" ")).not.toContain("secret");
    expect(env).toEqual({ [KEY_VARIABLE]: "secret" });
  });

  it("gives Claude Code the service in place of Anthropic's, and no key of Anthropic's", () => {
    expect(launches["claude"]?.(endpoint, "secret").env).toMatchObject({
      ANTHROPIC_BASE_URL: endpoint.url,
      ANTHROPIC_AUTH_TOKEN: "secret",
      ANTHROPIC_API_KEY: "",
      ANTHROPIC_MODEL: "qwen3:8b",
    });
  });

  it("hands opencode its configuration, without the key in it", () => {
    const { env } = launches["opencode"]?.(endpoint, "secret") ?? {};
    const config = JSON.parse(env?.["OPENCODE_CONFIG_CONTENT"] ?? "") as Record<string, unknown>;
    expect(config["model"]).toBe("ollama-stack/qwen3:8b");
    expect(JSON.stringify(config)).not.toContain("secret");
  });
});

it("a stack without a model has no endpoint, and says what to do", () => {
  const outputs = { gatewayUrl: "http://127.0.0.1:8000", installedModels: [], keysRequired: false };
  expect(() => endpointOf(outputs as unknown as StackOutputs)).toThrow(/no model. .*npm run up/);
});
