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

/** What the config makes of `gatewayEnvironment`, given as the CLI hands it over. */
function parse(value: unknown): Record<string, string> {
  const texts = Object.fromEntries(defaults) as Record<string, string>;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return parseConfig("ollama-stack", { ...texts, "ollama-stack:gatewayEnvironment": text })
    .gatewayEnvironment;
}

function problem(value: unknown): string {
  try {
    parse(value);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(value)} was accepted`);
}

describe("gatewayEnvironment", () => {
  it("is empty unless set", () => {
    expect(parse(configKeys()["gatewayEnvironment"]?.default)).toEqual({});
  });

  it("takes the gateway's own variables, numbers as the CLI writes them", () => {
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
      { QUEUE_LIMITS: 8 },
      /^\S+\.QUEUE_LIMITS is set, but must be left out: .* no such variable.*QUEUE_LIMIT,/,
    ],
    [{ constructor: 8 }, /^\S+\.constructor is set, but must be left out/],
    ["QUEUE_LIMIT=8", /^ollama-stack:gatewayEnvironment is wrong, but must be a map of /],
    [["QUEUE_LIMIT=8"], /^ollama-stack:gatewayEnvironment is wrong, but must be a map of /],
  ])("refuses %j in one line, with what is to be done", (value, expected) => {
    const said = problem(value);
    expect(said).toMatch(expected);
    expect(said).not.toContain("\n");
  });

  it("names every wrong variable, one line each", () => {
    expect(problem({ QUEUE_LIMIT: "x", LOG_TEXT: "y" }).split("\n")).toHaveLength(2);
  });

  it("takes each of the gateway's variables, or says by what it is set", () => {
    for (const [name, { default: value }] of Object.entries(variables)) {
      if (settableVariables.some((each) => each === name))
        expect(parse({ [name]: value }), name).toEqual({ [name]: value });
      else {
        const [, key] = /left out: it is set by (the program|\w+);/.exec(problem({ [name]: value })) ?? [];
        expect(["the program", ...Object.keys(configKeys())], name).toContain(key);
      }
    }
    expect(settableVariables).toEqual(expect.arrayContaining(["QUEUE_LIMIT", "OTEL_SERVICE_NAME"]));
  });

  it("takes no secret: neither as one, nor in a collector's URL, nor in a variable that the gateway does not have", () => {
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
      expect(problem(value)).not.toContain("planted-token");
    expect(problem({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://ada:planted-token@collector.example" })).toMatch(
      /ENDPOINT is wrong, but must be an http or https URL without a user, a password and a query/,
    );
  });
});

describe("the gateway's container", () => {
  beforeAll(async () => {
    await read(gateway("usual").url);
    await read(gateway("told", { environment: { QUEUE_LIMIT: "8", SHUTDOWN_TIMEOUT_MS: "90500" } }).url);
  });

  it("is given them, beside what the program sets", () => {
    expect(find("told-container")["envs"]).toEqual(expect.arrayContaining(["QUEUE_LIMIT=8", "PORT=8000"]));
  });

  it("is given time to stop for as long as requests may go on", () => {
    expect(find("usual-container")).toMatchObject({ stopTimeout: 35, destroyGraceSeconds: 35 });
    expect(find("told-container")).toMatchObject({ stopTimeout: 96, destroyGraceSeconds: 96 });
  });
});
