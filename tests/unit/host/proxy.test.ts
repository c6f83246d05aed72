import { describe, expect, it } from "vitest";
import { findProxies, proxyEnvironment, withoutCredentials } from "../../../host/proxy.ts";

const noDocker = () => "";
const proxy = "http://proxy.test:3128";
const loopback = "localhost,127.0.0.1,::1";

describe("the proxy of a machine", () => {
  it.each(["https_proxy", "HTTPS_PROXY"])("is taken from %s, and loopback is never behind it", (name) => {
    expect(findProxies({ [name]: proxy }, noDocker)).toEqual({ http: "", https: proxy, direct: loopback });
  });

  it("leaves what no_proxy names direct, in either case", () => {
    const { direct } = findProxies({ https_proxy: proxy, NO_PROXY: ".test, 127.0.0.1" }, noDocker) ?? {};
    expect(direct).toBe(".test,127.0.0.1,localhost,::1");
  });

  it("is npm's where the environment names none", () => {
    const env = { npm_config_https_proxy: proxy, npm_config_noproxy: "a.test", https_proxy: "" };
    expect(findProxies(env, noDocker)).toEqual({ http: "", https: proxy, direct: `a.test,${loopback}` });
    expect(findProxies({ npm_config_proxy: proxy }, noDocker)).toMatchObject({ http: proxy, https: proxy });
  });

  it("is that of Docker's client where neither names one", () => {
    const config = { proxies: { default: { httpsProxy: proxy, noProxy: "b.test" } } };
    expect(findProxies({}, () => JSON.stringify(config))).toEqual({
      http: "",
      https: proxy,
      direct: `b.test,${loopback}`,
    });
  });

  it.each(["", "{", "null", '{"proxies":{}}'])("is none where Docker's configuration is %j", (text) => {
    expect(findProxies({ no_proxy: "a.test" }, () => text)).toBeUndefined();
  });
});

it("programs get the proxy in both cases of the names, and nothing without one", () => {
  expect(proxyEnvironment(undefined)).toEqual({});
  expect(proxyEnvironment({ http: "", https: proxy, direct: loopback }, ["engine.test"])).toEqual({
    https_proxy: proxy,
    HTTPS_PROXY: proxy,
    no_proxy: `${loopback},engine.test`,
    NO_PROXY: `${loopback},engine.test`,
  });
});

it("the account of a proxy is in no message", () => {
  expect(withoutCredentials("http://ada:secret@proxy.test:3128")).toBe(proxy);
  expect(withoutCredentials(proxy)).toBe(proxy);
});
