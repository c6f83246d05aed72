import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { HandOverTimes } from "../../gateway/src/standby/standby.ts";
import { freePort } from "../../host/free-port.ts";
import { controlled } from "./controlled-gateway.ts";
import type { FakeApiServer } from "../fakes/fake-api-server.ts";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import { eventually, hello } from "./gateway-harness.ts";

const SERVER = join(import.meta.dirname, "../../gateway/src/server.ts");

export type Role = "active" | "standby";

/** A gateway with the environment of its own pod. */
export interface StandbyGateway {
  readonly pod: string;
  readonly address: string;
  readonly url: string;
  readonly output: () => string;
  role(): Promise<Role | undefined>;
  metric(name: string): Promise<number>;
  chat(): Promise<Response>;
}

/** A gateway in a separate process, which can be killed and frozen. */
export interface StandbyProcess extends StandbyGateway {
  signal(signal: NodeJS.Signals): void;
}

/** A gateway in this process. */
export interface LocalStandby extends StandbyGateway {
  /** Drains it as the pod's preStop hook does. */
  drain(): Promise<string>;
  close(): Promise<void>;
}

export interface StandbySetting {
  readonly api: FakeApiServer;
  readonly server: FakeOllama;
  /** Longer than any pause of the machine, unless a test expects a takeover. */
  readonly leaseMs: number;
  /** For gateways in this process; by default longer than any pause of the machine. */
  readonly handOver?: HandOverTimes;
}

// Longer than any pause of the machine.
const longTimes: HandOverTimes = { releaseMs: 120_000, takeoverMs: 120_000 };

/** @param n the number of the pod */
function podOf(n: number, { api, leaseMs }: StandbySetting) {
  const [pod, address] = [`gateway-${n}`, `192.0.2.${n}`];
  const environment = {
    STANDBY_LEASE: "llm/gateway",
    STANDBY_LEASE_DURATION_MS: `${leaseMs}`,
    POD_NAME: pod,
    POD_UID: `uid-${n}`,
    POD_IP: address,
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: `${api.port}`,
    SERVICE_ACCOUNT_FOLDER: api.accountFolder,
  };
  return { pod, address, environment };
}

function clientOf(url: string): Pick<StandbyGateway, "url" | "role" | "metric" | "chat"> {
  return {
    url,
    role: async () => ((await (await fetch(`${url}/ready`)).json()) as { role?: Role }).role,
    metric: async (name) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? NaN);
    },
    chat: () =>
      fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(hello),
      }),
  };
}

export async function startLocal(n: number, setting: StandbySetting): Promise<LocalStandby> {
  const { pod, address, environment } = podOf(n, setting);
  const gateway = await controlled([setting.server], environment, setting.handOver ?? longTimes);
  return {
    ...clientOf(gateway.url),
    pod,
    address,
    output: () => gateway.log.join(""),
    drain: async () => (await gateway.control("drain", "120", "0")).output,
    close: () => gateway.close(),
  };
}

export async function startProcess(n: number, setting: StandbySetting): Promise<StandbyProcess> {
  const { pod, address, environment } = podOf(n, setting);
  const port = await freePort();
  const ollama = { PORT: `${port}`, LLM_SERVICE_PORT: `${setting.server.port}`, LLM_MODEL_ID: hello.model };
  const child = spawn(process.execPath, [SERVER], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...ollama, ...environment },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (output += piece));
  await eventually(() => output.includes("Server listening") || undefined);
  return {
    ...clientOf(`http://127.0.0.1:${port}`),
    pod,
    address,
    output: () => output,
    signal: (signal) => void child.kill(signal),
  };
}

/** Starts gateways and waits until one is active. Returns the active one first. */
export async function startSome<Gateway extends StandbyGateway>(
  count: number,
  setting: StandbySetting,
  start: (n: number, setting: StandbySetting) => Promise<Gateway>,
): Promise<Gateway[]> {
  const numbers = Array.from({ length: count }, (_, n) => n + 1);
  const gateways = await Promise.all(numbers.map((n) => start(n, setting)));
  const active = await untilOneIsActive(gateways, setting.api);
  return [active, ...gateways.filter((each) => each !== active)];
}

/** Waits until one gateway is active, the others are on standby, and the Service points to the active one. */
export async function untilOneIsActive<Gateway extends StandbyGateway>(
  gateways: readonly Gateway[],
  api: FakeApiServer,
): Promise<Gateway> {
  let active: Gateway | undefined;
  await expect
    .poll(async () => {
      const roles = await Promise.all(gateways.map((each) => each.role()));
      active = gateways[roles.indexOf("active")];
      return [roles.toSorted(), active !== undefined && servingAddress(api) === active.address];
    })
    .toEqual([["active", ...gateways.slice(1).map(() => "standby")], true]);
  if (active === undefined) throw new Error("no gateway is active");
  return active;
}

/** The address to which the Service sends requests. */
export function servingAddress(api: FakeApiServer): string | undefined {
  const { endpoints } = (api.find("gateway-active") ?? {}) as {
    readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
  };
  return endpoints?.[0]?.addresses[0];
}

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
}

/** Fails if a gateway took another one's Lease that was neither released nor expired. */
export function expectFairTakeovers(api: FakeApiServer): void {
  const writes = api
    .writesOf("gateway")
    .map(({ atMs, object }) => ({ atMs, ...(object["spec"] as LeaseSpec) }));
  for (const [index, { atMs, holderIdentity }] of writes.entries()) {
    const before = writes[index - 1];
    if (before === undefined || before.holderIdentity === "" || before.holderIdentity === holderIdentity)
      continue;
    if (holderIdentity !== "")
      expect(atMs - before.atMs).toBeGreaterThanOrEqual(before.leaseDurationSeconds * 1000);
  }
}
