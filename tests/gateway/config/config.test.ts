import { expect, test } from "vitest";
import { ConfigError, readConfig, variables } from "../../../gateway/src/config/config.ts";

test("an empty environment gives the defaults", () => {
  expect(readConfig({})).toMatchObject({
    HOST: "127.0.0.1",
    PORT: 8000,
    LLM_SERVICE_HOST_IP: "127.0.0.1",
    LLM_SERVICE_PORT: 11434,
    LLM_MODEL_ID: "llama3.2:1b",
    REQUIRED_MODELS: [],
    LOG_LEVEL: "info",
  });
});

test("a variable that is set but empty counts as unset", () => {
  expect(readConfig({ PORT: "", LOG_LEVEL: " " })).toEqual(readConfig({}));
});

test("every variable has a valid default and a description", () => {
  for (const [name, variable] of Object.entries(variables)) {
    expect(() => readConfig({ [name]: variable.default })).not.toThrow();
    expect(variable.description).toMatch(/\.$/);
  }
});

test.each([
  ["REQUIRED_MODELS", " a:1b, b ,,localhost:5000/x/y:z ", ["a:1b", "b", "localhost:5000/x/y:z"]],
  ["LLM_SERVICE_HOST_IP", "ollama", "ollama"],
  ["LLM_SERVICE_HOST_IP", "::1", "::1"],
  [
    "LLM_BACKENDS",
    "[fd00::1]:11434, dns+ollama.svc:11434*4",
    [
      { host: "fd00::1", port: 11434 },
      { host: "ollama.svc", port: 11434, slots: 4, everyAddress: true },
    ],
  ],
  ["PORT", "65535", 65535],
  ["ALLOWED_ORIGINS", "https://a.org/, chrome-extension://*", ["https://a.org", "chrome-extension://*"]],
  ["ALLOWED_ORIGINS", "*", ["*"]],
])("accepts %s=%s", (name, written, value) => {
  expect(readConfig({ [name]: written })).toHaveProperty(name, value);
});

test.each([
  ["PORT", "0"],
  ["PORT", "65536"],
  ["PORT", "http"],
  ["PORT", "8e3"],
  ["HOST", "http://localhost"],
  ["LLM_SERVICE_HOST_IP", "ollama:11434"],
  ["LLM_MODEL_ID", "two words"],
  ["REQUIRED_MODELS", "fine,not fine"],
  ["LOG_LEVEL", "loud"],
  ["BODY_LIMIT_BYTES", "1MB"],
  ["FIRST_TOKEN_TIMEOUT_MS", "0"],
  ["IDLE_TIMEOUT_MS", "-1"],
])("rejects %s=%s in one line with the name, the value and the allowed values", (name, value) => {
  const read = (): unknown => readConfig({ [name]: value });
  expect(read).toThrow(ConfigError);
  const variable = variables[name as keyof typeof variables];
  expect(read).toThrow(
    `${name}=${value}: must be ${variable.allowed} (default: ${variable.default || "empty"})`,
  );
});

test.each([
  ["ollama", "'ollama' is not an address"],
  ["a:1,ollama:11434*0", "'ollama:11434*0' is not an address"],
  ["dns+10.0.0.1:11434", "'dns+10.0.0.1:11434' has an address where 'dns+' needs a name"],
  ["dns+[fd00::1]:11434", "'dns+[fd00::1]:11434' has an address where 'dns+' needs a name"],
  ["dns+http://ollama:11434", "'dns+http://ollama:11434' is not an address"],
])("rejects LLM_BACKENDS=%s and names the invalid entry", (value, why) => {
  const read = (): unknown => readConfig({ LLM_BACKENDS: value });
  expect(read).toThrow(`LLM_BACKENDS=${value}: ${why}; must be ${variables.LLM_BACKENDS.allowed}`);
});

test("reports all invalid variables at once", () => {
  expect(() => readConfig({ PORT: "x", LOG_LEVEL: "y" })).toThrow(/^PORT=x: .*\nLOG_LEVEL=y: .*$/);
});

test("accepts a Redis URL without a password for SHARED_STATE and never prints a password", () => {
  const read = (url: string) => readConfig({ SHARED_STATE: url }).SHARED_STATE;
  expect(read("")).toBe("memory");
  for (const url of ["redis://valkey:6379", "rediss://ada@valkey:6380/1", "redis://[::1]:6379"])
    expect(read(url)).toBe(url);
  expect(() => read("redis://:planted@valkey:6379")).toThrow(
    /^SHARED_STATE=\(hidden\): a password belongs in SHARED_STATE_PASSWORD_FILE/,
  );
  for (const url of [
    "valkey:6379",
    "http://valkey:6379",
    "redis://",
    "redis://valkey/one",
    "redis://valkey?db=1",
  ])
    expect(() => read(url), url).toThrow(/^SHARED_STATE=/);
});

test("rejects a collector URL with a password or a query without printing it", () => {
  const read = (url: string) => readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: url });
  expect(() => read("http://ada:planted@collector:4318")).toThrow(
    /^OTEL_EXPORTER_OTLP_ENDPOINT=\(hidden\): must be an http or https URL without a user, a password and a query/,
  );
  expect(() => read("http://collector:4318/?token=planted")).toThrow(
    /^OTEL_EXPORTER_OTLP_ENDPOINT=\(hidden\)/,
  );
  expect(read("http://collector:4318/otlp/@ours/").OTEL_EXPORTER_OTLP_ENDPOINT).toBe(
    "http://collector:4318/otlp/@ours",
  );
});
