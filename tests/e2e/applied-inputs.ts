import { expect } from "vitest";
import { docker } from "../../test-support/stack/by-hand.ts";

const mebibyte = 1024 * 1024;

interface Healthcheck {
  readonly tests: string[];
  readonly interval: string;
  readonly timeout: string;
  readonly startPeriod: string;
  readonly retries: number;
}

/** What `docker container inspect` reports for each input of docker.Container that the components set. */
const inspectedAs: Readonly<Record<string, (value: never) => object>> = {
  name: (name: string) => ({ Name: `/${name}` }),
  image: (id: string) => ({ Image: id }),
  command: (args: string[]) => ({ Config: { Cmd: args } }),
  envs: (lines: string[]) => ({ Config: { Env: expect.arrayContaining(lines) as unknown } }),
  labels: (labels: { label: string; value: string }[]) => ({
    Config: { Labels: Object.fromEntries(labels.map(({ label, value }) => [label, value])) },
  }),
  user: (user: string) => ({ Config: { User: user } }),
  stopTimeout: (seconds: number) => ({ Config: { StopTimeout: seconds } }),
  healthcheck: ({ tests, interval, timeout, startPeriod, retries }: Healthcheck) => ({
    Config: {
      Healthcheck: {
        Test: tests,
        Interval: nanoseconds(interval),
        Timeout: nanoseconds(timeout),
        StartPeriod: nanoseconds(startPeriod),
        Retries: retries,
      },
    },
  }),
  networksAdvanced: (networks: { name: string; aliases?: string[] }[]) => ({
    NetworkSettings: {
      Networks: Object.fromEntries(
        networks.map(({ name, aliases = [] }) => [
          name,
          expect.objectContaining({ Aliases: expect.arrayContaining(aliases) as unknown }),
        ]),
      ) as Record<string, unknown>,
    },
  }),
  // The provider's default; engines report "bridge" or "default".
  networkMode: (mode: string) =>
    host({ NetworkMode: expect.stringMatching(`^(default|${mode})$`) as unknown }),
  ports: (ports: { internal: number; external: number; ip: string; protocol?: string }[]) =>
    host({
      PortBindings: Object.fromEntries(
        ports.map(({ internal, external, ip, protocol = "tcp" }) => [
          `${String(internal)}/${protocol}`,
          [{ HostIp: ip, HostPort: String(external) }],
        ]),
      ),
    }),
  hosts: (lines: { host: string; ip: string }[]) =>
    host({ ExtraHosts: lines.length === 0 ? null : lines.map((line) => `${line.host}:${line.ip}`) }),
  mounts: (mounts: { type: string; source: string; target: string; readOnly?: boolean }[]) => ({
    Mounts: expect.arrayContaining(
      mounts.map(
        ({ type, source, target, readOnly = false }) =>
          expect.objectContaining({
            Type: type,
            [type === "volume" ? "Name" : "Source"]: source,
            Destination: target,
            RW: !readOnly,
          }) as unknown,
      ),
    ) as unknown,
  }),
  tmpfs: (folders: object) => host({ Tmpfs: folders }),
  readOnly: (value: boolean) => host({ ReadonlyRootfs: value }),
  capabilities: ({ drops, adds = [] }: { drops: string[]; adds?: string[] }) =>
    host({ CapDrop: drops.map(capability), CapAdd: adds.length === 0 ? null : adds.map(capability) }),
  securityOpts: (options: string[]) => host({ SecurityOpt: options }),
  memory: (value: number) => host({ Memory: value * mebibyte }),
  memorySwap: (value: number) => host({ MemorySwap: value * mebibyte }),
  cpuPeriod: (value: number) => host({ CpuPeriod: value }),
  cpuQuota: (value: number) => host({ CpuQuota: value }),
  ulimits: (limits: { name: string; soft: number; hard: number }[]) =>
    host({ Ulimits: limits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })) }),
  logDriver: (name: string) => host({ LogConfig: { Type: name } }),
  logOpts: (options: object) => host({ LogConfig: { Config: options } }),
  restart: (name: string) => host({ RestartPolicy: { Name: name } }),
};

/** Inputs for the provider only, which the engine does not report. */
const providerOnly = new Set([
  "__defaults",
  "attach",
  "containerReadRefreshTimeoutMilliseconds",
  "destroyGraceSeconds",
  "logs",
  "mustRun",
  "removeVolumes",
  "rm",
  "start",
  "wait",
  "waitTimeout",
]);

/** Expects the engine to have applied every input of a container. */
export function expectApplied(inputs: Readonly<Record<string, unknown>>): void {
  const [inspected] = JSON.parse(docker("container", "inspect", String(inputs["name"]))) as object[];
  for (const [key, value] of Object.entries(inputs)) {
    if (providerOnly.has(key)) continue;
    const toInspected = inspectedAs[key];
    if (toInspected === undefined)
      expect.fail(`${key} is set on a container, but applied-inputs.ts does not map it`);
    expect(inspected, key).toMatchObject(toInspected(value as never));
  }
}

function host(values: object): object {
  return { HostConfig: values };
}

/** Engines report "ALL" or "CAP_ALL". */
function capability(name: string): unknown {
  return expect.stringMatching(`^(CAP_)?${name.replace(/^CAP_/, "")}$`);
}

function nanoseconds(seconds: string): number {
  return Number(/^(\d+)s$/.exec(seconds)?.[1]) * 1e9;
}
