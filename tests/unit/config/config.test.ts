import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { describe, expect, it } from "vitest";
import { refuseSecrets } from "../../../components/config/secrets.ts";
import { configSchema, parseConfig } from "../../../components/config/config.ts";

interface Key {
  type?: string;
  default: unknown;
  description: string;
}
const project = parseYaml(readFileSync("Pulumi.yaml", "utf8")) as {
  name: string;
  config: Record<string, Key>;
};

/** Returns the config as the CLI passes it to the program: as text, with the defaults of Pulumi.yaml. */
function configTexts(set: Record<string, string> = {}): Record<string, string> {
  const defaults = Object.entries(project.config).map(([key, { default: value }]) => [
    `ollama-stack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const own = Object.entries(set).map(([key, value]) => [`ollama-stack:${key}`, value]);
  return Object.fromEntries([...defaults, ...own]) as Record<string, string>;
}

const parse = (set: Record<string, string> = {}) => parseConfig("ollama-stack", configTexts(set));
function errorMessage(key: string, value: string): string {
  try {
    parse({ [key]: value });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${key}=${value} was accepted`);
}

describe("config", () => {
  it("has a type, default and description in Pulumi.yaml and a schema for every key", () => {
    expect(Object.keys(project.config).sort()).toEqual(Object.keys(configSchema.shape).sort());
    for (const [key, { type, default: value, description }] of Object.entries(project.config)) {
      // None of the types that the CLI knows allows a list of both strings and objects.
      if (key === "models") expect(type).toBeUndefined();
      else expect(type, key).toMatch(/^(string|integer|boolean|array|object)$/);
      expect(value, key).toBeDefined();
      expect(description.length, key).toBeGreaterThan(20);
    }
  });

  it("defaults to loopback addresses, fixed ports and one small model", () => {
    expect(parse()).toMatchObject({
      ollamaBindAddress: "127.0.0.1",
      gatewayBindAddress: "127.0.0.1",
      ollamaPort: 8008,
      gatewayPort: 8000,
      models: [{ name: "llama3.2:1b" }],
    });
  });

  it("rejects a production stack that logs prompts", () => {
    const environment = { gatewayEnvironment: '{"LOG_TEXT":"on"}' };
    expect(parse(environment).gatewayEnvironment).toEqual({ LOG_TEXT: "on" });
    expect(() => parse({ ...environment, production: "true" })).toThrow(
      /gatewayEnvironment\.LOG_TEXT is "on", but must be off while production is true.*--path 'gatewayEnvironment\.LOG_TEXT'/,
    );
  });

  it("accepts a local model with cloud in its name", () => {
    expect(parse({ models: '["cloudy:1b","cloud:7b","a-cloud:7b"]' }).models).toHaveLength(3);
  });

  it("rejects a secret for a key that is stored and shown in plain text, and accepts it for gatewayApiKeys", () => {
    expect(() => {
      refuseSecrets("ollama-stack", ["ollama-stack:gatewayApiKeys", "docker:registryAuth"]);
    }).not.toThrow();
    expect(() => {
      refuseSecrets("ollama-stack", ["ollama-stack:models"]);
    }).toThrow(/^ollama-stack:models is a secret, but .*pulumi config set 'models' VALUE --plaintext$/);
  });

  it("rejects a password in a model's source without repeating it", () => {
    const source = "https://ada:planted-password@models.example/a.gguf";
    const message = errorMessage(
      "models",
      JSON.stringify([{ name: "a:1b", source, digest: "0".repeat(64) }]),
    );
    expect(message).toMatch(/models\[0\]\.source is wrong, but must be a URL without user and password/);
    expect(message).not.toContain("planted-password");
  });

  it("ignores the config of other packages", () => {
    expect(() => parseConfig("ollama-stack", { ...configTexts(), "docker:host": "unix:///x" })).not.toThrow();
  });

  it.each([
    ["gatewayPort", "99999", /gatewayPort is "99999".*1 to 65535/],
    ["ollamaPort", "65536", /ollamaPort is "65536".*0 to 65535/],
    ["gatewayPort", "0", /gatewayPort is "0".*1 to 65535, or auto/],
    ["gatewayPort", "any", /gatewayPort is "any", but must be a whole number from 1 to 65535, or auto/],
    ["ollamaPort", "80.5", /a whole number/],
    ["gatewayPort", "8008", /gatewayPort is "8008".*different from ollamaPort/],
    ["gatewayMemoryMiB", "lots", /gatewayMemoryMiB is "lots".*a whole number from 128/],
    ["ollamaMemoryMiB", "64", /from 256/],
    ["ollamaCpus", "two", /a number of CPUs/],
    ["ollamaCpus", "0", /a number of CPUs/],
    ["gatewayBindAddress", "localhost", /an IPv4 or IPv6 address/],
    ["ollamaKeepAlive", "forever", /a duration/],
    ["gpus", "some", /gpus is "some".*none, all, auto, or GPUs by number or UUID/],
    ["gpus", "0,", /gpus is "0,"/],
    ["gpus", "0,1,0", /gpus is "0,1,0".*each once/],
    ["gatewayLogLevel", "loud", /one of trace/],
    ["retainModels", "perhaps", /true or false/],
    ["console", "off", /console is "off", but must be true or false/],
    ["production", "perhaps", /true or false/],
    ["protectModels", "true", /protectModels is "true".*false while retainModels is false/],
    ["gatewayUsageVolume", "/srv/usage", /gatewayUsageVolume is "\/srv\/usage".*a name of letters/],
    ["modelVolume", "/srv/models", /modelVolume is "\/srv\/models".*a name of letters/],
    ["ollamaImage", "not an image", /an image reference/],
    ["networkName", "a b", /a name of letters/],
    ["imagePlatform", "linux", /linux\/amd64/],
    [
      "gatewayAllowedHosts",
      '["llm.example.org:8000"]',
      /gatewayAllowedHosts\[0\] is "llm.*a host name without/,
    ],
    [
      "gatewayAllowedHosts",
      '["a,b"]',
      /gatewayAllowedHosts\[0\] is "a,b".*a host name without scheme and port/,
    ],
    ["gatewayAllowedHosts", '[""]', /gatewayAllowedHosts\[0\] is "".*a host name/],
    ["ollamaHosts", '["registry"]', /ollamaHosts\[0\] is "registry".*name:address/],
    ["ollamaHosts", '["a:999.1.1.1"]', /ollamaHosts\[0\] is "a:999\.1\.1\.1".*name:address/],
    ["ollamaHosts", '["a:abc"]', /ollamaHosts\[0\] is "a:abc".*name:address/],
    ["ollamaHosts", '["a:fe80::1%eth0"]', /ollamaHosts\[0\] is "a:fe80.*name:address/],
    ["models", "[]", /at least one model/],
    ["models", "llama3.2:1b", /models is "llama3.2:1b".*a list/],
    ["models", '[{"name":""}]', /models\[0\]\.name is "".*a model name/],
    ["models", '[{"name":"a b"}]', /models\[0\]\.name is "a b"/],
    ["models", '[{"name":"a:b:c"}]', /models\[0\]\.name/],
    ["models", "[{}]", /models\[0\]\.name is not set/],
    ["models", '[{"name":"a","insecure":"yes"}]', /models\[0\]\.insecure is "yes".*true or false/],
    ["models", '[{"name":"a","digset":"x"}]', /models\[0\] has the unknown field digset/],
    ["models", '["a","a:latest"]', /names each model once/],
    ["models", '["a","library/A"]', /names each model once/],
    ["models", '["gpt-oss:120b-cloud"]', /without Ollama cloud models/],
    ["models", '["kimi-k2.5:CLOUD"]', /without Ollama cloud models/],
    ["models", '["gpt-oss-cloud"]', /without Ollama cloud models/],
    ["models", '[{"name":"a","source":"registry.example/b/c:120b-cloud"}]', /without Ollama cloud models/],
    [
      "models",
      '[{"name":"a","source":"ftp://x/y.gguf"}]',
      /models\[0\]\.source is "ftp.*or a GGUF file: an https URL/,
    ],
    ["models", '[{"name":"a","digest":"abc"}]', /models\[0\]\.digest is "abc".*64 hexadecimal digits/],
    [
      "models",
      '[{"name":"a","source":"https://host/y.gguf"}]',
      /models\[0\]\.digest is not set.*the SHA-256 of the file, because source is a URL/,
    ],
    [
      "models",
      '[{"name":"a","source":"./y.gguf","insecure":true}]',
      /models\[0\]\.insecure is true.*left out for a GGUF file; remove it with: pulumi config rm --path 'models\[0\]\.insecure'$/,
    ],
    [
      "models",
      '[{"name":"a","parameters":{"temprature":1}}]',
      /models\[0\]\.parameters has the unknown field temprature; known: num_ctx/,
    ],
    [
      "models",
      '[{"name":"a","parameters":{"num_ctx":1.5}}]',
      /models\[0\]\.parameters\.num_ctx is 1\.5.*a whole number/,
    ],
    [
      "models",
      '[{"name":"a","parameters":{"top_p":"high"}}]',
      /models\[0\]\.parameters\.top_p is "high".*a number/,
    ],
    [
      "models",
      '[{"name":"a","parameters":{"stop":[]}}]',
      /models\[0\]\.parameters\.stop is \[\].*a string or a list of strings/,
    ],
    ["models", '[{"name":"a","retain":"yes"}]', /models\[0\]\.retain is "yes".*true or false/],
    ["models", '[{"name":"a","system":""}]', /models\[0\]\.system is "".*not empty/],
    [
      "gatewayBindAddress",
      "0.0.0.0",
      /gatewayBindAddress is "0\.0\.0\.0".*a loopback address while gatewayApiKeys is empty/,
    ],
    // A list without a key would open the gateway.
    ["gatewayApiKeys", '["# alice sha256=... (left)"]', /gatewayApiKeys is wrong.*it contains no keys/],
    ["gatewayApiKeys", '[""]', /gatewayApiKeys is wrong.*it contains no keys/],
    ["gatewayApiKeys", '["alice"]', /gatewayApiKeys is wrong.*NAME sha256=HEX.*key 1: it has no sha256/],
    ["gatewayprot", "8000", /gatewayprot is not a config key.*pulumi config rm gatewayprot/],
  ])("rejects %s = %s and names the allowed values", (key, value, expected) => {
    expect(errorMessage(key, value)).toMatch(expected);
  });

  it("accepts auto for one port or both", () => {
    expect(parse({ gatewayPort: "auto", ollamaPort: "auto" })).toMatchObject({
      gatewayPort: "auto",
      ollamaPort: "auto",
    });
    expect(parse({ gatewayPort: "auto", ollamaPort: "0" })).toMatchObject({
      gatewayPort: "auto",
      ollamaPort: 0,
    });
    expect(() =>
      parse({ edge: "acme", edgeHostnames: JSON.stringify(["llm.example.org"]), gatewayPort: "auto" }),
    ).toThrow(/gatewayPort is "auto", but must be 443 while edge is acme/);
  });

  it("accepts a gateway on all addresses once there are keys", () => {
    const keys = JSON.stringify([`alice sha256=${"a".repeat(64)} requests=60`]);
    expect(parse({ gatewayBindAddress: "0.0.0.0", gatewayApiKeys: keys }).gatewayApiKeys).toHaveLength(1);
  });

  it("never shows a key that was set in place of its digest", () => {
    expect(errorMessage("gatewayApiKeys", '["alice sha256=sk-planted"]')).not.toContain("planted");
  });

  it("reports all invalid keys at once, one line each", () => {
    const both = (() => {
      try {
        parse({ gatewayPort: "x", ollamaPort: "y" });
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    })();
    expect(both.split("\n").map((line) => /\w+Port/.exec(line)?.[0])).toEqual(["ollamaPort", "gatewayPort"]);
  });

  it("accepts a model's source, digest, template and system prompt, and parameters as the CLI writes them", () => {
    const digest = "A".repeat(64);
    const { models } = parse({
      models: JSON.stringify([
        {
          name: "own",
          source: "https://host/own.gguf",
          digest: `sha256:${digest}`,
          parameters: { num_ctx: 8192, temperature: "0.2", stop: "###" },
          template: "{{ .Prompt }}",
          system: "You are terse.",
        },
        { name: "file", source: "./models/file.gguf" },
      ]),
    });
    expect(models).toEqual([
      {
        name: "own:latest",
        source: "https://host/own.gguf",
        digest: digest.toLowerCase(),
        parameters: { num_ctx: 8192, temperature: 0.2, stop: ["###"] },
        template: "{{ .Prompt }}",
        system: "You are terse.",
      },
      { name: "file:latest", source: "./models/file.gguf" },
    ]);
  });

  it("accepts models as names or objects and adds the default tag", () => {
    const { models } = parse({
      models: JSON.stringify([
        "mistral",
        { name: "me/own:q4", source: "registry:5000/library/own:q4", insecure: true },
      ]),
    });
    expect(models).toEqual([
      { name: "mistral:latest" },
      { name: "me/own:q4", source: "registry:5000/library/own:q4", insecure: true },
    ]);
  });

  it("requires an edge for several gateways and host names for a certificate, and rejects unused edge keys", () => {
    expect(parse({ edge: "http", gatewayReplicas: "2" })).toMatchObject({ edge: "http", gatewayReplicas: 2 });
    expect(errorMessage("gatewayReplicas", "2")).toMatch(
      /gatewayReplicas is "2", but must be 1 while edge is none/,
    );
    expect(errorMessage("edge", "tls")).toMatch(/must be one of none, http, internal, certificate, acme/);
    expect(errorMessage("edge", "acme")).toMatch(/edgeHostnames is .*the names that clients use/);
    const named = { edgeHostnames: JSON.stringify(["llm.example.org"]) };
    expect(() => parse({ edge: "acme", ...named })).toThrow(
      /gatewayPort is "8000", but must be 443 while edge is acme/,
    );
    expect(parse({ edge: "acme", ...named, gatewayPort: "443" }).gatewayPort).toBe(443);
    expect(() => parse({ edge: "certificate", ...named })).toThrow(
      /edgeCertificates is "", but must be the folder/,
    );
    expect(() => parse({ edge: "http", ...named })).toThrow(
      /edgeHostnames .*must be empty while edge is none or http/,
    );
    expect(() => parse({ edge: "internal", edgeHostnames: JSON.stringify(["a b"]) })).toThrow(
      /a host name or an IPv4 address/,
    );
    for (const [key, value] of [
      ["edgeCertificates", "/certs"],
      ["edgeAcmeDirectory", "https://ca"],
      ["edgeAcmeEmail", "a@b"],
    ] as const)
      expect(errorMessage(key, value)).toMatch(new RegExp(`${key} .*must be empty unless edge is`));
  });

  it("accepts an engine by ssh, by TCP with TLS or by a socket, and rejects any other address", () => {
    expect(parse({ dockerHost: "ssh://user@host:2222" }).dockerHost).toBe("ssh://user@host:2222");
    expect(parse({ dockerHost: "unix:///run/other.sock" }).dockerHost).toBe("unix:///run/other.sock");
    const tls = { dockerHost: "tcp://host:2376", dockerCertPath: "/certs" };
    expect(parse(tls)).toMatchObject(tls);
    expect(errorMessage("dockerHost", "host:2376")).toMatch(
      /dockerHost is "host:2376", but must be an engine's address such as ssh:/,
    );
    expect(errorMessage("dockerHost", "tcp://host:2375")).toMatch(
      /dockerCertPath is "", but must be the folder of ca\.pem.*without TLS, anyone who reaches the engine controls its host/,
    );
    expect(errorMessage("dockerCertPath", "/certs")).toMatch(/must be empty unless dockerHost is tcp:/);
    expect(() => parse({ ...tls, dockerCertPath: "certs" })).toThrow(/the absolute path of a folder/);
  });
});
