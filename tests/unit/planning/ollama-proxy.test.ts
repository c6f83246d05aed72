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

it("Ollama gets the machine's https proxy, but not for its own network and registries", () => {
  expect(ollamaProxy(config, proxies).variables).toEqual({
    HTTPS_PROXY: "http://proxy.test:3128",
    NO_PROXY: "localhost,.test,registry,ollama,gateway",
  });
});

it("Ollama gets no proxy if the machine has none or only one for http", () => {
  expect(ollamaProxy(config, undefined)).toEqual(none);
  expect(ollamaProxy(config, { ...proxies, http: proxies.https, https: "" })).toEqual(none);
});

it("a proxy in the config is left alone, in either case", () => {
  const own = (name: string) => ({ ...config, ollamaEnvironment: { [name]: "http://other.test:1" } });
  expect(ollamaProxy(own("HTTPS_PROXY"), proxies)).toEqual(none);
  expect(ollamaProxy(own("https_proxy"), proxies)).toEqual(none);
});

it("a remote engine does not get this machine's proxy", () => {
  expect(ollamaProxy({ ...config, dockerHost: "ssh://ada@host.test" }, proxies)).toEqual(none);
});

it.each(["http://127.0.0.1:3128", "localhost:3128", "http://[::1]:3128"])(
  "a proxy at %s, which a container cannot reach, is omitted with a warning that names the key to set",
  (https) => {
    const { variables, warning } = ollamaProxy(config, { ...proxies, https });
    expect(variables).toEqual({});
    expect(warning).toMatch(/loopback.*config set --path 'ollamaEnvironment\.HTTPS_PROXY'/);
  },
);
