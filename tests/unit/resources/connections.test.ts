import { describe, expect, it } from "vitest";
import type { OllamaConnection } from "../../../engine/connection.ts";
import {
  connectionTo,
  connectionToOllama,
  find,
  gateway,
  read,
  server,
} from "../../../test-support/components/mocked-program.ts";

describe("connections", () => {
  const remote: OllamaConnection = connectionToOllama(
    {
      dockerHost: "tcp://build.example:2376",
      dockerCertPath: "/certs",
      gatewayBaseImage: "node:24",
      imagePlatform: "linux/arm64",
      ollamaPort: 8008,
    },
    "net",
  );
  const variables = {
    DOCKER_HOST: "tcp://build.example:2376",
    DOCKER_TLS_VERIFY: "1",
    DOCKER_CERT_PATH: "/certs",
    TUNNEL_NETWORK: "net",
    TUNNEL_IMAGE: "node:24",
    TUNNEL_PLATFORM: "linux/arm64",
  };

  it("pass a remote engine and the tunnel to every command, which reaches services by their names in the network", async () => {
    await read(server("far", { access: remote }).url);
    await read(gateway("far-gate", { access: remote }).url);
    const environment = (name: string) => find(name)["environment"];
    expect(environment("far-ready")).toMatchObject({
      ...variables,
      READY_URL: "http://ollama:11434/api/version",
    });
    expect(environment("far-gate-ready")).toMatchObject({
      ...variables,
      READY_URL: "http://gateway:8000/ready",
    });
    expect(environment("far-gate-image-disposal")).toMatchObject(variables);
  });

  it("use a tunnel for Ollama alone if only its port is not published", async () => {
    const { tunnelOutput } = await import("../../../engine/connection.ts");
    const local = {
      dockerHost: "",
      dockerCertPath: "",
      gatewayBaseImage: "node:24",
      imagePlatform: "",
      ollamaPort: 0,
    };
    const [own, toOllama] = [connectionTo(local, "net"), connectionToOllama(local, "net")];
    expect(own).toEqual({ environment: {} });
    expect(await read(server("hidden", { access: toOllama, port: 0 }).url)).toBe("http://ollama:11434");
    expect(find("hidden-container")["ports"]).toEqual([]);
    expect(find("hidden-ready")["environment"]).toMatchObject({
      TUNNEL_NETWORK: "net",
      READY_URL: "http://ollama:11434/api/version",
    });
    const [gateway, ollama] = [
      { access: own, host: "gateway", port: 8000 },
      { access: toOllama, host: "ollama", port: 11434 },
    ];
    expect(tunnelOutput(gateway, ollama)).toEqual({
      tunnel: { network: "net", image: "node:24", platform: "", ollama: "ollama:11434" },
    });
    expect(tunnelOutput(gateway, { ...ollama, access: own })).toEqual({});
  });

  it("show a remote engine's name if a port is published on all addresses", async () => {
    expect(await read(server("far-any", { access: remote, bindAddress: "0.0.0.0" }).url)).toBe(
      "http://build.example:8008",
    );
    expect(await read(server("far-loopback", { access: remote }).url)).toBe("http://127.0.0.1:8008");
  });
});
