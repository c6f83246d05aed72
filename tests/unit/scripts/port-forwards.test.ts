import { describe, expect, it } from "vitest";
import { forwarded } from "../../../scripts/connect/port-forwards.ts";

const tunnel = {
  network: "net",
  image: "node",
  platform: "",
  gateway: "gateway:8000",
  ollama: "ollama:11434",
};
const remote = { gatewayUrl: "http://127.0.0.1:8000", ollamaUrl: "http://127.0.0.1:8008" };
const behind = (mode: string, gatewayUrl: string) => {
  const [gateway] = forwarded({ ...remote, gatewayUrl, edge: { container: "s-edge", mode } }, tunnel);
  return gateway;
};

describe("npm run forward", () => {
  it("forwards the gateway and Ollama on the ports that they have there", () => {
    expect(forwarded(remote, tunnel)).toEqual([
      { name: "gateway", target: "gateway:8000", port: 8000, url: "http://127.0.0.1:8000" },
      { name: "ollama", target: "ollama:11434", port: 8008, url: "http://127.0.0.1:8008" },
    ]);
  });

  it("forwards Prometheus if the stack has one", () => {
    const withPrometheus = { ...remote, prometheusUrl: "http://127.0.0.1:9090" };
    expect(forwarded(withPrometheus, tunnel).at(-1)).toEqual({
      name: "prometheus",
      target: "prometheus:9090",
      port: 9090,
      url: "http://127.0.0.1:9090",
    });
  });

  it("forwards only Ollama if only that is unreachable", () => {
    const own = { ...tunnel, gateway: undefined };
    expect(forwarded(remote, own).map(({ name }) => name)).toEqual(["ollama"]);
  });

  it("forwards the edge if there is one, so that its URL and certificate stay valid", () => {
    expect(behind("internal", "https://localhost:8443")).toEqual({
      name: "gateway",
      target: "s-edge:443",
      port: 8443,
      url: "https://localhost:8443",
    });
    expect(behind("http", "http://127.0.0.1:8000")).toMatchObject({
      target: "s-edge:80",
      url: "http://127.0.0.1:8000",
    });
  });

  it("uses the default port of a URL without one", () => {
    expect(behind("http", "http://127.0.0.1")?.port).toBe(80);
    expect(behind("acme", "https://llm.example.org")).toMatchObject({
      port: 443,
      url: "https://llm.example.org (curl --resolve llm.example.org:443:127.0.0.1)",
    });
  });
});
