import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../components/config/config.ts";
import { configKeys } from "../../../scripts/commands/docs.ts";

const defaults = Object.entries(configKeys()).map(([key, { default: value }]) => [
  `ollama-stack:${key}`,
  typeof value === "string" ? value : JSON.stringify(value),
]);

function parse(value: unknown): Readonly<Record<string, string>> {
  const texts = Object.fromEntries(defaults) as Record<string, string>;
  return parseConfig("ollama-stack", { ...texts, "ollama-stack:ollamaEnvironment": JSON.stringify(value) })
    .ollamaEnvironment;
}

describe("ollamaEnvironment", () => {
  it("accepts any variable and converts numbers and booleans to text", () => {
    expect(parse({ HTTPS_PROXY: "http://proxy.test:3128", OLLAMA_DEBUG: 1, GIN_X: true })).toEqual({
      HTTPS_PROXY: "http://proxy.test:3128",
      OLLAMA_DEBUG: "1",
      GIN_X: "true",
    });
  });

  it.each([
    [
      { OLLAMA_NUM_PARALLEL: 4 },
      /OLLAMA_NUM_PARALLEL is set, but must be left out: it is set by ollamaParallel/,
    ],
    [{ OLLAMA_HOST: "1.2.3.4" }, /it is set by the program; remove it with: pulumi config rm --path/],
    [
      { SSL_CERT_DIR: "/etc/ssl/certs" },
      /must be left out: it is set by trustedCertificates, which requires engine docker; remove/,
    ],
    [{ "NO SPACE": "x" }, /must be left out: it is not a valid variable name/],
    [{ LIST: [1] }, /must be a string, a number or a boolean/],
    [["A=b"], /ollamaEnvironment is wrong, but must be a map of variables to values/],
  ])("rejects %j with the reason", (value, message) => {
    expect(() => parse(value)).toThrow(message);
  });
});
