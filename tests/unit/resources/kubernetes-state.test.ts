import { describe, expect, it } from "vitest";
import { renderStack } from "../../../test-support/components/render-cluster-stack.ts";

interface Container {
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly resources: { readonly limits: object };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Spec {
  readonly replicas?: number;
  readonly strategy?: { readonly type: string };
  readonly template: {
    readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
    readonly spec: {
      readonly securityContext: object;
      readonly automountServiceAccountToken: boolean;
      readonly topologySpreadConstraints?: readonly object[];
      readonly containers: readonly Container[];
      readonly volumes: readonly { readonly name: string; readonly secret?: object }[];
    };
  };
}

async function render(set: Readonly<Record<string, unknown>> = {}) {
  const rendered = await renderStack(set);
  const spec = (name: string) => rendered.find(name)["spec"] as Spec;
  const pod = (name: string) => {
    const [container] = spec(name).template.spec.containers;
    if (container === undefined) throw new Error(`${name} has no container`);
    const env = Object.fromEntries((container.env ?? []).map((each) => [each.name, each.value]));
    return { ...spec(name).template.spec, container, env };
  };
  const names = rendered.all.map(({ name }) => name);
  return { ...rendered, spec, pod, names };
}

const own = { state: "redis", gatewayReplicas: "2" };
const external = {
  ...own,
  stateAddress: "rediss://valkey.example.org:6380/1",
  statePasswordSecret: "valkey",
};
// The mocked output of the command that generates a password.
const password = JSON.stringify([{ name: "tiny:1b", digest: "abc", size: 42 }]);
const tcp = (port: number) => ({ protocol: "TCP", port });

describe("the stack's own Valkey", () => {
  it("does not exist while one gateway has its state in memory", async () => {
    const { names, pod } = await render();
    expect(names.filter((name) => name.startsWith("state"))).toEqual([]);
    expect(Object.keys(pod("gateway-pods").env).filter((name) => name.startsWith("SHARED"))).toEqual([]);
  });

  it("runs as a single restricted pod, and stores nothing on disk", async () => {
    const { spec, pod, find } = await render({
      ...own,
      stateImage: "valkey/valkey:9",
      stateMemoryMiB: "1024",
    });
    expect(spec("state-pods")).toMatchObject({ replicas: 1, strategy: { type: "Recreate" } });
    const { container, ...rest } = pod("state-pods");
    expect(rest).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65532 },
    });
    expect(container).toMatchObject({
      image: "valkey/valkey:9",
      args: ["/etc/valkey/valkey.conf"],
      resources: { limits: { memory: "1024Mi" } },
      securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
    });
    const { "valkey.conf": settings = "" } = find("state-secret")["stringData"] as Record<string, string>;
    expect(settings.split("\n")).toEqual([
      "port 6379",
      "maxmemory 768mb",
      "maxmemory-policy noeviction",
      'save ""',
      "appendonly no",
      "dir /data",
      `requirepass ${password}`,
      "",
    ]);
  });

  it("has its password only in its Secret, of which each pod mounts only its own entry", async () => {
    const { all, pod, find } = await render(own);
    expect(find("state-secret")["stringData"]).toMatchObject({ password });
    const others = all.filter(({ name, type }) => name !== "state-secret" && type.startsWith("kubernetes:"));
    expect(JSON.stringify(others)).not.toContain(JSON.stringify(password).slice(1, -1));
    // The command's output must not appear in that of the update.
    expect(find("state-password")["logging"]).toBe("stderr");
    const entry = (name: string, volume: string) =>
      pod(name).volumes.find((each) => each.name === volume)?.secret;
    expect(entry("gateway-pods", "state")).toEqual({
      secretName: "state",
      items: [{ key: "password", path: "password" }],
    });
    expect(entry("state-pods", "settings")).toEqual({
      secretName: "state",
      items: [{ key: "valkey.conf", path: "valkey.conf" }],
    });
  });

  it("gets a new pod only when its settings change", async () => {
    const version = async (set: object) =>
      (await render({ ...own, ...set })).spec("state-pods").template.metadata.annotations?.[
        "ollama-stack/settings"
      ];
    expect(await version({})).toMatch(/^[0-9a-f]{16}$/);
    expect(await version({ gatewayReplicas: "3" })).toBe(await version({}));
    expect(await version({ stateMemoryMiB: "1024" })).not.toBe(await version({}));
  });

  it("has the gateways replaced only when its password changes", async () => {
    const annotations = async (set: object) =>
      (await render({ ...own, ...set })).spec("gateway-pods").template.metadata.annotations;
    expect(await annotations({})).toEqual({
      "ollama-stack/state-password": expect.stringMatching(/^[0-9a-f]{16}$/) as string,
    });
    expect(await annotations({ stateMemoryMiB: "1024" })).toEqual(await annotations({}));
    expect(await annotations({ ...external })).toBeUndefined();
  });

  it("accepts connections only from gateways, and opens none", async () => {
    const { find } = await render(own);
    expect(find("state-access")["spec"]).toEqual({
      podSelector: { matchLabels: { app: "state" } },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: [tcp(6379)] }],
      egress: [],
    });
    const { egress } = find("gateway-access")["spec"] as { readonly egress: readonly object[] };
    expect(egress).toContainEqual({
      to: [{ podSelector: { matchLabels: { app: "state" } } }],
      ports: [tcp(6379)],
    });
  });
});

describe("gateways with shared state", () => {
  it("use the stack's own Valkey, with its password in a file", async () => {
    const { pod } = await render(own);
    const { env, container } = pod("gateway-pods");
    expect(env).toMatchObject({
      SHARED_STATE: "redis://state:6379",
      SHARED_STATE_PASSWORD_FILE: "/state/password",
    });
    expect(container.volumeMounts).toContainEqual({ name: "state", mountPath: "/state", readOnly: true });
  });

  it("use an external server, with the password of an external Secret or none", async () => {
    const { names, pod, find } = await render(external);
    expect(names.filter((name) => name.startsWith("state"))).toEqual([]);
    expect(pod("gateway-pods").env["SHARED_STATE"]).toBe(external.stateAddress);
    expect(pod("gateway-pods").volumes).toContainEqual({
      name: "state",
      secret: { secretName: "valkey", items: [{ key: "password", path: "password" }] },
    });
    const { egress } = find("gateway-access")["spec"] as { readonly egress: readonly object[] };
    expect(egress.at(-1)).toMatchObject({ ports: [tcp(6380)] });
    const open = await render({ ...own, stateAddress: "redis://valkey.example.org" });
    expect(open.pod("gateway-pods").env).not.toHaveProperty("SHARED_STATE_PASSWORD_FILE");
    const policy = open.find("gateway-access")["spec"] as { readonly egress: readonly object[] };
    expect(policy.egress.at(-1)).toMatchObject({ ports: [tcp(6379)] });
  });

  it("have their own key prefix on a shared server, unless the config sets one", async () => {
    const prefix = async (set: object) =>
      (await render({ ...external, ...set })).pod("gateway-pods").env["SHARED_STATE_PREFIX"];
    expect(await prefix({})).toMatch(/^ollama-stack:[0-9a-f]{16}$/);
    expect(await prefix({ namespace: "other" })).not.toBe(await prefix({}));
    expect(await prefix({ gatewayEnvironment: { SHARED_STATE_PREFIX: "mine" } })).toBe("mine");
  });

  it("are spread over nodes, and disrupted one at a time", async () => {
    const { spec, pod, find } = await render(own);
    expect(spec("gateway-pods")).toMatchObject({
      replicas: 2,
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    });
    expect(pod("gateway-pods").topologySpreadConstraints).toMatchObject([
      { topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", maxSkew: 1 },
    ]);
    expect(find("gateway-disruption")["spec"]).toEqual({
      maxUnavailable: 1,
      selector: { matchLabels: { app: "gateway" } },
    });
    expect((await render({ state: "redis" })).names).not.toContain("gateway-disruption");
  });

  it("are scaled by CPU usage, and an update keeps their number", async () => {
    const { spec, find } = await render({ ...own, gatewayMaxReplicas: "6" });
    expect(spec("gateway-pods")).not.toHaveProperty("replicas");
    expect(find("gateway-scaling")["spec"]).toMatchObject({
      scaleTargetRef: { kind: "Deployment", name: "gateway" },
      minReplicas: 2,
      maxReplicas: 6,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "AverageValue", averageValue: "600m" } },
        },
      ],
    });
    const limited = await render({ ...own, gatewayMaxReplicas: "6", gatewayCpus: "0.5" });
    expect(limited.find("gateway-scaling")["spec"]).toMatchObject({
      metrics: [{ resource: { target: { averageValue: "350m" } } }],
    });
    expect((await render({ ...own, gatewayMaxReplicas: "2" })).names).not.toContain("gateway-scaling");
  });
});
