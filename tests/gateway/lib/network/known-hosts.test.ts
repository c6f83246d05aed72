import { describe, expect, test } from "vitest";
import { KnownHosts, parseKnownHost } from "../../../../gateway/src/lib/network/known-hosts.ts";

const known = new KnownHosts([".localhost", "llm.example.org", ".corp.example", "x-gateway.ollama_network"]);

describe("a Host header", () => {
  test.each([
    ["localhost"],
    ["localhost:8000"],
    ["LocalHost:8000"],
    ["localhost."],
    ["llm.localhost:8000"],
    ["127.0.0.1:8000"],
    ["127.1"],
    ["2130706433:8000"],
    ["192.168.1.5:8000"],
    ["[::1]:8000"],
    ["[::1]"],
    ["[fe80::1%25eth0]:8000"],
    ["llm.example.org"],
    ["LLM.Example.ORG:443"],
    ["corp.example"],
    ["a.b.corp.example:8000"],
    ["x-gateway.ollama_network:8000"],
  ])("%s is known", (header) => {
    expect(known.has(header)).toBe(true);
  });

  test.each([
    ["evil.example:8000"],
    ["evil.example."],
    [""],
    [":8000"],
    ["localhost.evil.example"],
    ["notlocalhost"],
    ["127.0.0.1.evil.example"],
    ["127.0.0.1.nip.io:8000"],
    ["evilcorp.example"],
    [".corp.example"],
    ["sub.llm.example.org"],
    ["localhost:8000, evil.example"],
    ["evil.example:8000:localhost"],
    ["[evil.example]:8000"],
    ["[127.0.0.1]"],
    ["user@localhost"],
    ["localhost/evil"],
    ["*"],
  ])("%s is not known", (header) => {
    expect(known.has(header)).toBe(false);
  });

  test("every host is known if * is configured", () => {
    expect(new KnownHosts([parseKnownHost("*")]).has("evil.example:8000")).toBe(true);
  });
});

test.each(["http://llm.example.org", "llm.example.org:8000", "*.example.org", "a b", "", ".", "a..b"])(
  "rejects %j as a configured host name",
  (entry) => {
    expect(() => parseKnownHost(entry)).toThrow(`'${entry}' is not a host name`);
  },
);
