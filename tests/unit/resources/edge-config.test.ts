import { describe, expect, it } from "vitest";
import { edgePort } from "../../../components/config/edge-modes.ts";
import { caddyfile } from "../../../components/resources/edge-config/caddyfile.ts";

const config = {
  hostnames: ["llm.example.org", "llm"],
  gateways: [
    { host: "gateway", port: 8000 },
    { host: "gateway-2", port: 8000 },
  ],
  acmeDirectory: "",
  acmeEmail: "",
  acmeRoot: false,
  trustedProxies: [],
  bodyTimeoutSeconds: 30,
};

describe("the edge's configuration", () => {
  it("sends requests to the first gateway that accepts them", () => {
    const text = caddyfile({ ...config, mode: "http", hostnames: [] });
    expect(text).toMatch(/^:80 \{$/m);
    expect(text).toContain("auto_https off");
    expect(text).toContain("reverse_proxy gateway:8000 gateway-2:8000 {");
    expect(text).toContain("lb_policy first");
    expect(text).toContain("health_uri /accepting");
    // With a negative flush_interval, Caddy does not cancel the gateway's request when a client disconnects.
    expect(text).not.toContain("flush_interval");
    expect(edgePort("http")).toBe(80);
  });

  it("buffers no body, and retries only requests that could not be sent", () => {
    const text = caddyfile({ ...config, mode: "internal" });
    expect(text).not.toContain("request_buffers");
    expect(text.match(/reverse_proxy /g)).toHaveLength(2);
    expect(text.match(/lb_retry_match \{\n\t+expression false\n/g)).toHaveLength(2);
  });

  it("serves only HTTP/1, so that each connection has one request", () => {
    expect(caddyfile({ ...config, mode: "internal" })).toMatch(/^\t\tprotocols h1$/m);
  });

  it("allows a body more time than the gateway, which thus reports the timeout itself", () => {
    const text = caddyfile({ ...config, mode: "http", bodyTimeoutSeconds: 90 });
    expect(text).toMatch(/timeouts \/api\/blobs\/\* \{\n\t+read_timeout 95s\n/);
    expect(text).toMatch(/timeouts @bounded \{\n\t+read_timeout 95s \d+\n/);
  });

  it("trusts only the configured proxies for the client's address", () => {
    expect(caddyfile({ ...config, mode: "http" })).not.toContain("trusted_proxies");
    const text = caddyfile({ ...config, mode: "http", trustedProxies: ["10.0.0.5", "fd00::/8"] });
    expect(text).toMatch(/^\t\ttrusted_proxies static 10\.0\.0\.5 fd00::\/8\n\t\ttrusted_proxies_strict$/m);
  });

  it("serves only its host names, with its own CA, a given certificate or ACME", () => {
    const site = /^https:\/\/llm\.example\.org, https:\/\/llm \{$/m;
    const internal = caddyfile({ ...config, mode: "internal" });
    expect(internal).toMatch(site);
    expect(internal).toContain("tls internal");
    expect(internal).toContain("default_sni llm.example.org");
    expect(caddyfile({ ...config, mode: "certificate" })).toContain(
      "tls /certificates/cert.pem /certificates/key.pem",
    );
    const acme = { acmeDirectory: "https://ca/directory", acmeEmail: "ops@example.org", acmeRoot: true };
    const text = caddyfile({ ...config, ...acme, mode: "acme" });
    expect(text).toMatch(site);
    for (const line of [
      "acme_ca https://ca/directory",
      "email ops@example.org",
      "acme_ca_root /certificates/acme-root.pem",
      "disable_http_challenge",
    ])
      expect(text).toContain(line);
    expect(caddyfile({ ...config, mode: "acme" })).not.toMatch(/acme_ca|email/);
    expect(edgePort("acme")).toBe(443);
  });
});
