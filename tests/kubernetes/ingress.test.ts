import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, fetch, type Response } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { model } from "../../test-support/cluster/stack/cluster-stack.ts";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { startTraefik, traefikClass } from "../../test-support/cluster/addons/traefik.ts";
import { failureOf, firstLines, underLoad } from "../e2e/under-load.ts";

// Access from outside the cluster by name and with TLS, through a real controller: first an Ingress, then a Gateway.

// Each kind has its own host name, because the controller may serve the previous one for a moment longer.
const hosts = { ingress: "ingress.example.test", httproute: "gateway.example.test" } as const;
let host: string = hosts.ingress;
const certificate = "gateway-tls";

let externalClient: Agent | undefined;
const running = shareStack("k8s-ingress", async (stack) => {
  const { cluster, namespace, project } = stack;
  const address = await startTraefik(cluster);
  cluster.kubectl(["create", "namespace", namespace]);
  const [key, cert] = ["key", "cert"].map((name) => join(cluster.folder, `ingress-${name}.pem`));
  if (key === undefined || cert === undefined) throw new Error("no files");
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = Object.values(hosts).map((name) => `DNS:${name}`);
  const subject = ["-subj", "/CN=ingress", "-addext", `subjectAltName=${names.join(",")}`, "-days", "2"];
  execFileSync("openssl", [...request, ...subject, "-keyout", key, "-out", cert], { stdio: "pipe" });
  stack.kubectl("create", "secret", "tls", certificate, `--cert=${cert}`, `--key=${key}`);
  externalClient = new Agent({
    connect: {
      ca: readFileSync(cert, "utf8"),
      lookup: (_name, _options, callback) => {
        callback(null, [{ address, family: 4 }]);
      },
    },
  });
  project.configure({ ingressTlsSecret: certificate });
});
afterAll(async () => {
  await externalClient?.close();
});

function post(path: string, body: object | string): Promise<Response> {
  if (externalClient === undefined) throw new Error("the client is not set up");
  return fetch(`https://${host}${path}`, {
    dispatcher: externalClient,
    method: "POST",
    headers: { authorization: `Bearer ${running().ada.key}`, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const chat = (parameters: object) =>
  post("/v1/chat/completions", {
    model,
    messages: [{ role: "user", content: "Count to ten." }],
    ...parameters,
  });

describe.each([
  ["an Ingress", { ingressClass: traefikClass, gatewayClass: undefined }, "ingress"],
  ["a Gateway with a route", { ingressClass: undefined, gatewayClass: traefikClass }, "httproute"],
] as const)("through %s", (_name, settings, kind) => {
  beforeAll(async () => {
    host = hosts[kind];
    running().project.configure({ ...settings, ingressHostnames: [host] });
    await running().update();
  });

  it("responds at its host name with TLS and removes the other kind's objects", async () => {
    await expect.poll(async () => (await chat({ max_tokens: 4 }).catch(() => undefined))?.status).toBe(200);
    const others = kind === "ingress" ? "gateways,httproutes" : "ingresses";
    expect(running().kubectl("get", `${kind}/gateway`, "--output=name")).toContain(kind);
    expect(running().kubectl("get", others, "--output=name")).toBe("");
  });

  it("streams a response as it is generated", async () => {
    const response = await post("/api/chat", {
      model,
      messages: [{ role: "user", content: "Count from 1 to 1000: 1, 2, 3, 4, 5, 6, 7, 8, 9," }],
      options: { num_predict: 200, temperature: 0 },
    });
    // The first line arrives before the 24th is generated. Together they are smaller than a buffer of 4 KiB.
    const { lines, begunAt } = await firstLines(response, 24);
    const { created_at: generated } = JSON.parse(lines[23] ?? "") as { created_at: string };
    expect(lines.join("\n").length).toBeLessThan(4096);
    expect(begunAt).toBeLessThan(Date.parse(generated));
  });

  it("does not limit request bodies below the gateway's limit", async () => {
    const content = "x".repeat(3_000_000);
    const missing = await post("/v1/chat/completions", {
      model: "missing",
      messages: [{ role: "user", content }],
    });
    expect([missing.status, await missing.json()]).toEqual([
      404,
      expect.objectContaining({ error: expect.objectContaining({ code: "model_not_found" }) as unknown }),
    ]);
  });

  it("fails no request while the gateway's pod is replaced under streaming clients", async () => {
    const before = running().uids("gateway");
    const stream = (n: number) => chat({ stream: true, max_tokens: 6, seed: n });
    const { completed, failures } = await underLoad(8, stream, async () => {
      running().kubectl("rollout", "restart", "deployment/gateway");
      await running().untilReplaced("gateway", before, { timeout: 120_000 });
    });
    expect(failures).toEqual([]);
    expect(completed).toBeGreaterThan(8);
    expect(await failureOf(() => chat({ stream: true, max_tokens: 4 }))).toBeUndefined();
  });
});
