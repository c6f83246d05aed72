import { describe, expect, it } from "vitest";
import { findProxies, proxyEnvironment, withoutCredentials } from "../../../host/proxy.ts";

const noDocker = () => "";
const proxy = "http://proxy.test:3128";
const loopback = "localhost,127.0.0.1,::1";

describe("the proxy of a machine", () => {
  it.each(["https_proxy", "HTTPS_PROXY"])("is read from %s and excludes loopback", (name) => {
    expect(findProxies({ [name]: proxy }, noDocker)).toEqual({ http: "", https: proxy, direct: loopback });
  });

  it("excludes the hosts in no_proxy, in either case", () => {
    const { direct } = findProxies({ https_proxy: proxy, NO_PROXY: ".test, 127.0.0.1" }, noDocker) ?? {};
    expect(direct).toBe(".test,127.0.0.1,localhost,::1");
  });

  it("is npm's proxy if the environment has none", () => {
    const env = { npm_config_https_proxy: proxy, npm_config_noproxy: "a.test", https_proxy: "" };
    expect(findProxies(env, noDocker)).toEqual({ http: "", https: proxy, direct: `a.test,${loopback}` });
    expect(findProxies({ npm_config_proxy: proxy }, noDocker)).toMatchObject({ http: proxy, https: proxy });
  });

  it("is the proxy of Docker's client if neither has one", () => {
    const config = { proxies: { default: { httpsProxy: proxy, noProxy: "b.test" } } };
    expect(findProxies({}, () => JSON.stringify(config))).toEqual({
      http: "",
      https: proxy,
      direct: `b.test,${loopback}`,
    });
  });

  it.each(["", "{", "null", '{"proxies":{}}'])("is undefined if Docker's configuration is %j", (text) => {
    expect(findProxies({ no_proxy: "a.test" }, () => text)).toBeUndefined();
  });
});

it("passes the proxy to programs in upper-case and lower-case variables, and none without a proxy", () => {
  expect(proxyEnvironment(undefined)).toEqual({});
  expect(proxyEnvironment({ http: "", https: proxy, direct: loopback }, ["engine.test"])).toEqual({
    https_proxy: proxy,
    HTTPS_PROXY: proxy,
    no_proxy: `${loopback},engine.test`,
    NO_PROXY: `${loopback},engine.test`,
  });
});

it("removes the credentials from the URL of a proxy", () => {
  expect(withoutCredentials("http://ada:secret@proxy.test:3128")).toBe(proxy);
  expect(withoutCredentials(proxy)).toBe(proxy);
});
