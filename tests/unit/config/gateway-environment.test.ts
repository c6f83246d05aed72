import { beforeAll, describe, expect, it } from "vitest";
import { refuseSecrets } from "../../../components/config/secrets.ts";
import { parseConfig } from "../../../components/config/config.ts";
import { settableVariables } from "../../../components/config/gateway-environment.ts";
import { variables } from "../../../gateway/src/config/config.ts";
import { configKeys } from "../../../scripts/commands/docs.ts";
import { find, gateway, read } from "../../../test-support/components/mocked-program.ts";

const defaults = Object.entries(configKeys()).map(([key, { default: value }]) => [
  `ollama-stack:${key}`,
  typeof value === "string" ? value : JSON.stringify(value),
]);

/** Parses `gatewayEnvironment` as the CLI passes it to the program. */
function parse(value: unknown): Record<string, string> {
  const texts = Object.fromEntries(defaults) as Record<string, string>;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return parseConfig("ollama-stack", { ...texts, "ollama-stack:gatewayEnvironment": text })
    .gatewayEnvironment;
}

function errorMessage(value: unknown): string {
  try {
    parse(value);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(value)} was accepted`);
}

describe("gatewayEnvironment", () => {
  it("is empty by default", () => {
    expect(parse(configKeys()["gatewayEnvironment"]?.default)).toEqual({});
  });

  it("accepts the gateway's own variables, with numbers as the CLI writes them", () => {
    expect(
      parse({ QUEUE_LIMIT: 8, LOG_TEXT: "on", OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" }),
    ).toEqual({ QUEUE_LIMIT: "8", LOG_TEXT: "on", OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" });
  });

  it.each([
    [
      { QUEUE_LIMIT: "lots" },
      /^ollama-stack:gatewayEnvironment\.QUEUE_LIMIT is "lots", but must be a whole number from 1 to 65535 \(requests\); set it with: pulumi config set --path 'gatewayEnvironment\.QUEUE_LIMIT' VALUE$/,
    ],
    [
      { IDLE_TIMEOUT_MS: 0 },
      /^\S+\.IDLE_TIMEOUT_MS is 0, but must be a whole number from 1 to 86400000 \(ms\); /,
    ],
    [{ LOG_TEXT: true }, /^\S+\.LOG_TEXT is true, but must be off or on; /],
    [{ LOG_TEXT: null }, /^\S+\.LOG_TEXT is null, but must be off or on; /],
    [
      { LOG_LEVEL: "debug" },
      /^\S+\.LOG_LEVEL is set, but must be left out: it is set by gatewayLogLevel; remove it with: pulumi config rm --path 'gatewayEnvironment\.LOG_LEVEL'$/,
    ],
    [
      { API_KEYS: "ada sha256=0" },
      /^\S+\.API_KEYS is set, but must be left out: it is set by gatewayApiKeys; /,
    ],
    [
      { API_KEYS_FILE: "/keys" },
      /^\S+\.API_KEYS_FILE is set, but must be left out: it is set by gatewayApiKeys; /,
    ],
    [
      { WATCHED_CERTIFICATE: "edge:443/llm.example.org" },
      /^\S+\.WATCHED_CERTIFICATE is set, but must be left out: it is set by edge, which requires engine docker; /,
    ],
    [
      { QUEUE_LIMITS: 8 },
      /^\S+\.QUEUE_LIMITS is set, but must be left out: .* no such variable.*QUEUE_LIMIT,/,
    ],
    [{ constructor: 8 }, /^\S+\.constructor is set, but must be left out/],
    ["QUEUE_LIMIT=8", /^ollama-stack:gatewayEnvironment is wrong, but must be a map of /],
    [["QUEUE_LIMIT=8"], /^ollama-stack:gatewayEnvironment is wrong, but must be a map of /],
  ])("rejects %j with one line that includes the fix", (value, expected) => {
    const message = errorMessage(value);
    expect(message).toMatch(expected);
    expect(message).not.toContain("\n");
  });

  it("reports all invalid variables, one line each", () => {
    const lines = errorMessage({ QUEUE_LIMIT: "x", LOG_TEXT: "y" }).split("\n");
    expect(lines.map((line) => /QUEUE_LIMIT|LOG_TEXT/.exec(line)?.[0])).toEqual(["QUEUE_LIMIT", "LOG_TEXT"]);
  });

  it("accepts each of the gateway's variables or names the key that sets it", () => {
    for (const [name, { default: value }] of Object.entries(variables)) {
      if (settableVariables.some((each) => each === name))
        expect(parse({ [name]: value }), name).toEqual({ [name]: value });
      else {
        const [, key] =
          /left out: it is set by (the program|\w+)[;,]/.exec(errorMessage({ [name]: value })) ?? [];
        expect(["the program", ...Object.keys(configKeys())], name).toContain(key);
      }
    }
    expect(settableVariables).toEqual(expect.arrayContaining(["QUEUE_LIMIT", "OTEL_SERVICE_NAME"]));
  });

  it("rejects secrets: as a Pulumi secret, in a collector's URL and in an unknown variable", () => {
    expect(() => {
      refuseSecrets("ollama-stack", ["ollama-stack:gatewayEnvironment"]);
    }).toThrow(
      /^ollama-stack:gatewayEnvironment is a secret, but preview, state and containers would show it/,
    );
    for (const value of [
      { OTEL_EXPORTER_OTLP_ENDPOINT: "https://ada:planted-token@collector.example" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.example/?token=planted-token" },
      "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer planted-token",
      { OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer planted-token" },
      { OTEL_EXPORTER_OTLP_HEADERS: { authorization: "Bearer planted-token" } },
    ])
      expect(errorMessage(value)).not.toContain("planted-token");
    expect(
      errorMessage({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://ada:planted-token@collector.example" }),
    ).toMatch(/ENDPOINT is wrong, but must be an http or https URL without a user, a password and a query/);
  });
});

describe("the gateway's container", () => {
  beforeAll(async () => {
    await read(gateway("default").url);
    await read(gateway("custom", { environment: { QUEUE_LIMIT: "8", SHUTDOWN_TIMEOUT_MS: "90500" } }).url);
  });

  it("gets them in addition to the variables that the program sets", () => {
    expect(find("custom-container")["envs"]).toEqual(expect.arrayContaining(["QUEUE_LIMIT=8", "PORT=8000"]));
  });

  it("gets as much time to stop as requests may take", () => {
    expect(find("default-container")).toMatchObject({ stopTimeout: 35, destroyGraceSeconds: 35 });
    expect(find("custom-container")).toMatchObject({ stopTimeout: 96, destroyGraceSeconds: 96 });
  });
});
