import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { claudeProgram } from "../../../compat/clients/claude-code.ts";
import { codexProgram } from "../../../compat/clients/codex.ts";
import { commands } from "../../../scripts/cli/command-definitions.mjs";
import { endpointOf, withContextLength } from "../../../scripts/connect/client-endpoint.ts";
import { launches } from "../../../scripts/connect/client-launches.ts";
import { KEY_VARIABLE, recipes } from "../../../scripts/connect/client-recipes.ts";
import type { StackOutputs } from "../../../scripts/stack/outputs.ts";

const endpoint = { url: "https://models.example.com", model: "qwen3:8b", needsKey: true };

describe("the recipe for a client", () => {
  it.each(recipes)("contains the service's URL and model: $title", ({ title, lines }) => {
    const text = lines(endpoint).join("\n");
    expect(text).toContain(endpoint.url);
    // These clients list the models themselves.
    if (title !== "n8n" && title !== "Open WebUI") expect(text).toContain(endpoint.model);
  });

  it.each(recipes)("reads the key from its variable, or leaves it to the user: $title", ({ lines }) => {
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

it("lists the versions that the tests use", () => {
  const root = `${import.meta.dirname}/../../..`;
  const { devDependencies } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const python = ["requirements", "agents", "aider", "llama-index"]
    .map((name) => readFileSync(`${root}/tests/e2e/python/${name}.txt`, "utf8").replaceAll(/\[.*\]/g, ""))
    .join("\n");
  for (const { name, version, kind } of recipes.flatMap(({ tested = [] }) => tested)) {
    if (kind === "npm") expect([name, devDependencies[name]]).toEqual([name, version]);
    const program = [claudeProgram, codexProgram].find((each) => each.package === name);
    if (kind === "program" && program !== undefined) expect([name, version]).toEqual([name, program.version]);
    if (kind === "python") expect(python.split("\n")).toContain(`${name}==${version}`);
  }
});

describe("the context length", () => {
  it("is passed to coding agents if it is known", () => {
    const known = { ...endpoint, contextLength: 32_768 };
    const agents = recipes.filter(({ lines }) => lines(known).length > lines(endpoint).length);
    expect(agents.map(({ title }) => title)).toEqual([
      "Codex CLI",
      "Claude Code",
      "opencode",
      "GitHub Copilot CLI",
      "Continue",
    ]);
    for (const { lines } of agents) expect(lines(known).join("\n")).toMatch(/32768|24576/);
    expect(launches["claude"]?.(known, undefined).env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]).toBe("32768");
    expect(launches["codex"]?.(known, undefined).args).toContain("model_context_window=32768");
  });

  it("comes from the gateway's list of models", async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      const data = [{ id: "other" }, { id: "qwen3:8b", context_length: 4096 }];
      response.end(JSON.stringify({ data }));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const local = { ...endpoint, url: `http://127.0.0.1:${port}` };
    expect(await withContextLength(local, "secret")).toEqual({ ...local, contextLength: 4096 });
    expect(seen).toEqual(["Bearer secret"]);
    server.close();
    await once(server, "close");
    expect(await withContextLength(local, undefined)).toEqual(local);
  });
});

describe("npm run client", () => {
  it("configures Codex for the Responses API, with the key in its variable", () => {
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

  it("points Claude Code at the service, without an Anthropic key", () => {
    expect(launches["claude"]?.(endpoint, "secret").env).toMatchObject({
      ANTHROPIC_BASE_URL: endpoint.url,
      ANTHROPIC_AUTH_TOKEN: "secret",
      ANTHROPIC_API_KEY: "",
      ANTHROPIC_MODEL: "qwen3:8b",
    });
  });

  it.each(["copilot", "qwen", "aider"])("passes the service, the model and the key to %s", (name) => {
    const { args, env } = launches[name]?.({ ...endpoint, contextLength: 32_768 }, "secret") ?? {};
    expect(Object.values(env ?? {})).toEqual(expect.arrayContaining([`${endpoint.url}/v1`, "secret"]));
    expect([...(args ?? []), ...Object.values(env ?? {})].join()).toContain("qwen3:8b");
    expect(args?.join()).not.toContain("secret");
    const without = launches[name]?.({ ...endpoint, needsKey: false }, undefined);
    expect(JSON.stringify(without)).not.toContain("undefined");
  });

  it("accepts each agent that its help lists", () => {
    expect(commands.client.operands).toEqual([Object.keys(launches).join("|")]);
  });

  it("passes opencode its configuration without the key", () => {
    const { env } = launches["opencode"]?.(endpoint, "secret") ?? {};
    const config = JSON.parse(env?.["OPENCODE_CONFIG_CONTENT"] ?? "") as Record<string, unknown>;
    expect(config["model"]).toBe("ollama-stack/qwen3:8b");
    expect(JSON.stringify(config)).not.toContain("secret");
  });
});

it("rejects a stack without a model, and suggests npm run up", () => {
  const outputs = { gatewayUrl: "http://127.0.0.1:8000", installedModels: [], keysRequired: false };
  expect(() => endpointOf(outputs as unknown as StackOutputs)).toThrow(/no model. .*npm run up/);
});
