import { describe, expect, it } from "vitest";
import { renderStack } from "../../../test-support/components/render-cluster-stack.ts";

/** The spec of one object. */
async function spec(name: string, set: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  return (await renderStack(set)).find(name)["spec"];
}

interface Policy {
  readonly policyTypes: readonly string[];
  readonly ingress: readonly object[];
  readonly egress: readonly {
    readonly to?: readonly object[];
    readonly ports: readonly { readonly port: number }[];
  }[];
}
const policy = async (name: string, set?: Readonly<Record<string, unknown>>) =>
  (await spec(name, set)) as Policy;
const tcp = (port: number) => ({ protocol: "TCP", port });

describe("network policies", () => {
  it("let only the gateway reach Ollama", async () => {
    const { policyTypes, ingress } = await policy("ollama-access");
    expect(policyTypes).toEqual(["Ingress", "Egress"]);
    expect(ingress).toEqual([
      { from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: [tcp(11_434)] },
    ]);
  });

  it("let Ollama resolve names, and pull models only from the ports of their sources", async () => {
    const [names, pulls, ...more] = (await policy("ollama-access")).egress;
    expect(names?.ports).toEqual([
      { protocol: "UDP", port: 53 },
      { protocol: "TCP", port: 53 },
    ]);
    expect(pulls?.ports).toEqual([tcp(443)]);
    expect(more).toEqual([]);
    const { egress } = await policy("ollama-access", {
      models: [
        { name: "a:1b", source: "registry.example.org:5000/library/a:1b" },
        { name: "b:1b", source: "plain/library/b:1b", insecure: true },
        { name: "c:1b", source: "http://files.example.org:8081/c.gguf", digest: "c".repeat(64) },
      ],
      ollamaEnvironment: { HTTPS_PROXY: "http://proxy.example.org:3128" },
    });
    expect(egress[1]?.ports).toEqual([80, 443, 3128, 5000, 8081].map(tcp));
  });

  it("block the link-local addresses that serve a cloud node's credentials", async () => {
    const [, pulls] = (await policy("ollama-access")).egress;
    expect(pulls?.to).toContainEqual({ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } });
  });

  it("let the gateway reach Ollama, DNS and a configured collector", async () => {
    const { ingress, egress } = await policy("gateway-access");
    expect(ingress).toEqual([{ ports: [tcp(8000)] }]);
    expect(egress.slice(1)).toEqual([
      { to: [{ podSelector: { matchLabels: { app: "ollama" } } }], ports: [tcp(11_434)] },
    ]);
    const collected = await policy("gateway-access", {
      gatewayEnvironment: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector.example.org:4318" },
    });
    expect(collected.egress[2]?.ports).toEqual([tcp(4318)]);
  });

  it("admit the configured sources", async () => {
    const { ingress } = await policy("gateway-access", {
      gatewayAllowedSources: ["10.0.0.0/8", "namespace/ingress-nginx"],
    });
    expect(ingress).toEqual([
      {
        from: [
          { ipBlock: { cidr: "10.0.0.0/8" } },
          { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress-nginx" } } },
        ],
        ports: [tcp(8000)],
      },
    ]);
  });
});

const outside = {
  ingressHostnames: ["llm.example.org", "chat.example.org"],
  ingressTlsSecret: "gateway-tls",
};

describe("access from outside", () => {
  it("uses an Ingress with TLS for each name, the gateway's timeouts and no buffering", async () => {
    const { find, outputs } = await renderStack({
      ...outside,
      ingressClass: "nginx",
      gatewayPort: "8100",
      gatewayEnvironment: {
        QUEUE_TIMEOUT_MS: "60000",
        LOAD_TIMEOUT_MS: "300000",
        ANSWER_TIMEOUT_MS: "900000",
      },
      ingressAnnotations: {
        "cert-manager.io/cluster-issuer": "letsencrypt",
        "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
      },
    });
    const { metadata, spec: declared } = find("outside-ingress") as {
      metadata: { annotations: Record<string, string> };
      spec: object;
    };
    expect(metadata.annotations).toMatchObject({
      "cert-manager.io/cluster-issuer": "letsencrypt",
      "nginx.ingress.kubernetes.io/proxy-read-timeout": "1260",
      "nginx.ingress.kubernetes.io/proxy-buffering": "off",
      // The config takes precedence.
      "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
      "haproxy.org/timeout-server": "1260s",
      "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=1260",
    });
    const backend = { service: { name: "gateway", port: { number: 8100 } } };
    expect(declared).toEqual({
      ingressClassName: "nginx",
      tls: [{ hosts: outside.ingressHostnames, secretName: "gateway-tls" }],
      rules: outside.ingressHostnames.map((host) => ({
        host,
        http: { paths: [{ path: "/", pathType: "Prefix", backend }] },
      })),
    });
    expect(outputs).toHaveProperty("publicUrl", "https://llm.example.org");
  });

  it("uses an Ingress that waits as long as a request may wait for the first Ollama pod", async () => {
    const timeouts = { LOAD_TIMEOUT_MS: "300000", ANSWER_TIMEOUT_MS: "900000" };
    const { find } = await renderStack({
      ...outside,
      ingressClass: "nginx",
      autoscaling: "keda",
      ollamaMinReplicas: "0",
      readyTimeoutSeconds: "600",
      gatewayEnvironment: timeouts,
    });
    // The gateway's own QUEUE_TIMEOUT_MS is then 660 s.
    expect(find("outside-ingress")["metadata"]).toMatchObject({
      annotations: { "nginx.ingress.kubernetes.io/proxy-read-timeout": "1860" },
    });
  });

  it("limits the idle timeout to the maximum of AWS's load balancer", async () => {
    const { find } = await renderStack({
      ...outside,
      ingressClass: "alb",
      gatewayEnvironment: { ANSWER_TIMEOUT_MS: "7200000" },
    });
    expect(find("outside-ingress")["metadata"]).toMatchObject({
      annotations: {
        "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=4000",
      },
    });
  });

  it("uses a Gateway with a listener for each name, and a route without timeouts", async () => {
    const { find } = await renderStack({ ...outside, gatewayClass: "eg" });
    expect(find("outside-gateway")["spec"]).toMatchObject({
      gatewayClassName: "eg",
      listeners: outside.ingressHostnames.map((hostname) => ({
        hostname,
        port: 443,
        protocol: "HTTPS",
        tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: "gateway-tls" }] },
      })),
    });
    expect(find("outside-route")["spec"]).toMatchObject({
      parentRefs: [{ name: "gateway" }],
      hostnames: outside.ingressHostnames,
      rules: [
        {
          backendRefs: [{ name: "gateway", port: 8000 }],
          timeouts: { request: "0s", backendRequest: "0s" },
        },
      ],
    });
  });

  it("does not exist unless it is configured", async () => {
    const { all, outputs } = await renderStack();
    const kinds = all.map(({ type }) => type.split(":").at(-1));
    for (const kind of ["Ingress", "Gateway", "HTTPRoute", "ScaledObject", "PodMonitor"])
      expect(kinds).not.toContain(kind);
    expect(outputs).not.toHaveProperty("publicUrl");
  });
});

describe("autoscaling", () => {
  it("with KEDA counts waiting and running requests with a metrics key, and scales to zero", async () => {
    const { find } = await renderStack({
      autoscaling: "keda",
      ollamaMinReplicas: "0",
      ollamaMaxReplicas: "6",
      ollamaParallel: "4",
    });
    expect(find("ollama-scaling")["spec"]).toMatchObject({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "StatefulSet", name: "ollama" },
      minReplicaCount: 0,
      maxReplicaCount: 6,
      advanced: { scalingModifiers: { formula: "waiting + running", target: "4" } },
      triggers: [
        {
          name: "waiting",
          metadata: {
            url: "http://gateway.ollama-stack-test-1.svc:8000/metrics",
            valueLocation: "gateway_queue_depth",
          },
        },
        { name: "running", metadata: { valueLocation: "gateway_requests_in_flight" } },
      ],
    });
    expect(find("ollama-metrics")["spec"]).toEqual({
      secretTargetRef: [{ parameter: "token", name: "gateway-metrics-key", key: "key" }],
    });
    expect(find("gateway-metrics-key")["metadata"]).toMatchObject({ name: "gateway-metrics-key" });
  });

  it("with an HPA uses the same metrics of the gateway's Service", async () => {
    expect(await spec("ollama-scaling", { autoscaling: "hpa", ollamaMinReplicas: "2" })).toMatchObject({
      minReplicas: 2,
      maxReplicas: 4,
      metrics: ["gateway_queue_depth", "gateway_requests_in_flight"].map((name) => ({
        type: "Object",
        object: { metric: { name }, target: { type: "AverageValue", averageValue: "1" } },
      })),
    });
  });
});

it("a PodMonitor lets the cluster's Prometheus read the metrics with a metrics key", async () => {
  const { find } = await renderStack({ podMonitor: "true", prometheusScrapeSeconds: "30" });
  expect(find("gateway-monitor")["spec"]).toEqual({
    selector: { matchLabels: { app: "gateway" } },
    podMetricsEndpoints: [
      {
        port: "http",
        path: "/metrics",
        interval: "30s",
        authorization: { type: "Bearer", credentials: { name: "gateway-metrics-key", key: "key" } },
      },
    ],
  });
  const pods = JSON.stringify(find("gateway-pods")["spec"]);
  expect(pods).toMatch(/"METRICS_KEY_DIGEST","value":"[0-9a-f]{64}"/);
});
