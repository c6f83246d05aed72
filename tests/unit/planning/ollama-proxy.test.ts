import { expect, it } from "vitest";
import { ollamaProxy } from "../../../components/planning/ollama-proxy.ts";

const config = {
  ollamaEnvironment: {},
  ollamaHosts: ["registry:host-gateway"],
  dockerHost: "",
  dockerCertPath: "",
};
const proxies = { http: "", https: "http://proxy.test:3128", direct: "localhost,.test" };
const none = { variables: {}, warning: undefined };

it("Ollama gets the machine's proxy for https, past its own network and its own registries", () => {
  expect(ollamaProxy(config, proxies).variables).toEqual({
    HTTPS_PROXY: "http://proxy.test:3128",
    NO_PROXY: "localhost,.test,registry,ollama,gateway",
  });
});

it("Ollama gets none where the machine has none, or for http only", () => {
  expect(ollamaProxy(config, undefined)).toEqual(none);
  expect(ollamaProxy(config, { ...proxies, http: proxies.https, https: "" })).toEqual(none);
});

it("what the config sets is left alone, in either case", () => {
  const own = (name: string) => ({ ...config, ollamaEnvironment: { [name]: "http://other.test:1" } });
  expect(ollamaProxy(own("HTTPS_PROXY"), proxies)).toEqual(none);
  expect(ollamaProxy(own("https_proxy"), proxies)).toEqual(none);
});

it("this machine's proxy is not that of a remote engine", () => {
  expect(ollamaProxy({ ...config, dockerHost: "ssh://ada@host.test" }, proxies)).toEqual(none);
});

it.each(["http://127.0.0.1:3128", "localhost:3128", "http://[::1]:3128"])(
  "a proxy at %s, which a container cannot reach, is left out with a warning that says what to set",
  (https) => {
    const { variables, warning } = ollamaProxy(config, { ...proxies, https });
    expect(variables).toEqual({});
    expect(warning).toMatch(/loopback.*config set --path 'ollamaEnvironment\.HTTPS_PROXY'/);
  },
);
