import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compareContainer, comparedInputs } from "../../../scripts/drift/container/compare.ts";
import type { ContainerInputs, ImageConfig, Inspected } from "../../../scripts/drift/container/types.ts";

const id = "1".repeat(64);
const mebibyte = 1024 * 1024;

const inputs: ContainerInputs = {
  name: "x-gateway",
  image: `sha256:${"a".repeat(64)}`,
  envs: ["LOG_LEVEL=info", "API_KEY=abc"],
  healthcheck: {
    tests: ["CMD", "check"],
    interval: "1m30s",
    timeout: "5s",
    startPeriod: "500ms",
    retries: 3,
  },
  ports: [{ internal: 8000, external: 18000, ip: "127.0.0.1", protocol: "tcp" }],
  mounts: [{ type: "volume", source: "models", target: "/root/.ollama" }],
  tmpfs: { "/tmp": "rw" },
  readOnly: true,
  capabilities: { drops: ["ALL"] },
  securityOpts: ["no-new-privileges"],
  memory: 512,
  memorySwap: 512,
  cpuPeriod: 100_000,
  cpuQuota: 50_000,
  logDriver: "json-file",
  logOpts: { "max-size": "10m" },
  restart: "unless-stopped",
  networksAdvanced: [{ name: "net", aliases: ["gateway"] }],
  hosts: [{ host: "registry", ip: "host-gateway" }],
  stopTimeout: 35,
};
const image: ImageConfig = {
  Env: ["PATH=/bin", "LOG_LEVEL=debug"],
  Labels: { vendor: "us" },
  Cmd: ["node", "server.mjs"],
  Volumes: { "/cache": {} },
  User: "65532",
};

/** A container as the engine makes it of these inputs and this image. */
const asAsked: Inspected = {
  Id: id,
  Name: "/x-gateway",
  Image: inputs.image,
  State: { Status: "running" },
  Config: {
    Env: ["PATH=/bin", "API_KEY=abc", "LOG_LEVEL=info"],
    Labels: { vendor: "us" },
    Cmd: ["node", "server.mjs"],
    Volumes: { "/cache": {} },
    Entrypoint: null,
    WorkingDir: "",
    User: "65532",
    Hostname: id.slice(0, 12),
    Domainname: "",
    Tty: false,
    OpenStdin: false,
    StopTimeout: 35,
    Healthcheck: { Test: ["CMD", "check"], Interval: 90e9, Timeout: 5e9, StartPeriod: 0.5e9, Retries: 3 },
  },
  HostConfig: {
    PortBindings: { "8000/tcp": [{ HostIp: "127.0.0.1", HostPort: "18000" }] },
    PublishAllPorts: false,
    Tmpfs: { "/tmp": "rw" },
    ReadonlyRootfs: true,
    Privileged: false,
    CapAdd: null,
    // A newer engine says it with the prefix.
    CapDrop: ["CAP_ALL"],
    SecurityOpt: ["no-new-privileges"],
    Memory: 512 * mebibyte,
    MemorySwap: 512 * mebibyte,
    MemoryReservation: 0,
    NanoCpus: 0,
    CpuPeriod: 100_000,
    CpuQuota: 50_000,
    CpuShares: 0,
    CpusetCpus: "",
    BlkioWeight: 0,
    OomKillDisable: false,
    OomScoreAdj: 0,
    PidsLimit: 128,
    RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
    LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
    NetworkMode: "bridge",
    ExtraHosts: ["registry:host-gateway"],
    Dns: null,
    DnsOptions: null,
    DnsSearch: null,
    PidMode: "",
    IpcMode: "private",
    UsernsMode: "",
    CgroupParent: "",
    Runtime: "runc",
    Init: false,
    GroupAdd: null,
    Ulimits: null,
    ShmSize: 64 * mebibyte,
    Devices: null,
    DeviceCgroupRules: null,
    DeviceRequests: null,
  },
  Mounts: [
    { Type: "volume", Name: "models", Source: "/var/lib/x", Destination: "/root/.ollama", RW: true },
    { Type: "volume", Name: "f".repeat(64), Source: "/var/lib/y", Destination: "/cache", RW: true },
  ],
  NetworkSettings: { Networks: { net: { NetworkID: "n1", Aliases: ["gateway", id.slice(0, 12)] } } },
};

const compare = (actual: Inspected, asked: Partial<ContainerInputs> = {}) =>
  compareContainer(
    {
      urn: "urn",
      resource: "gateway-container",
      id,
      inputs: { ...inputs, ...asked },
      image,
      networks: new Map([["net", "n1"]]),
    },
    actual,
  );
const found = (actual: Inspected) =>
  compare(actual).map(({ property, expected, actual: have }) => [property, expected, have]);
const withConfig = (change: Partial<Inspected["Config"]>) => ({
  ...asAsked,
  Config: { ...asAsked.Config, ...change },
});
const withHost = (change: Partial<Inspected["HostConfig"]>) => ({
  ...asAsked,
  HostConfig: { ...asAsked.HostConfig, ...change },
});

describe("a container", () => {
  it("that is as it was asked for has no drift", () => {
    expect(compare(asAsked)).toEqual([]);
  });

  it.each<[string, Inspected]>([
    ["state", { ...asAsked, State: { Status: "exited" } }],
    ["image", { ...asAsked, Image: `sha256:${"b".repeat(64)}` }],
    ["id", { ...asAsked, Id: "2".repeat(64) }],
    ["name", { ...asAsked, Name: "/renamed" }],
    ["environment LOG_LEVEL", withConfig({ Env: ["PATH=/bin", "API_KEY=abc", "LOG_LEVEL=debug"] })],
    ["environment PATH", withConfig({ Env: ["PATH=/x", "API_KEY=abc", "LOG_LEVEL=info"] })],
    ["label owner", withConfig({ Labels: { vendor: "us", owner: "me" } })],
    ["label vendor", withConfig({ Labels: {} })],
    ["command", withConfig({ Cmd: ["node", "other.mjs"] })],
    ["entrypoint", withConfig({ Entrypoint: ["/bin/sh"] })],
    ["working directory", withConfig({ WorkingDir: "/srv" })],
    ["user", withConfig({ User: "" })],
    ["stop signal", withConfig({ StopSignal: "SIGKILL" })],
    ["stop timeout", withConfig({ StopTimeout: 1 })],
    ["terminal", withConfig({ Tty: true })],
    ["health check", withConfig({ Healthcheck: { Test: ["NONE"] } })],
    ["ports", withHost({ PortBindings: { "8000/tcp": [{ HostIp: "", HostPort: "18000" }] } })],
    ["all ports published", withHost({ PublishAllPorts: true })],
    ["mounts", { ...asAsked, Mounts: [] }],
    ["tmpfs", withHost({ Tmpfs: { "/tmp": "rw,exec" } })],
    ["read-only root", withHost({ ReadonlyRootfs: false })],
    ["privileged", withHost({ Privileged: true })],
    ["capabilities added", withHost({ CapAdd: ["CAP_SYS_ADMIN"] })],
    ["capabilities dropped", withHost({ CapDrop: null })],
    ["security options", withHost({ SecurityOpt: null })],
    ["memory", withHost({ Memory: 0 })],
    ["memory and swap", withHost({ MemorySwap: -1 })],
    ["memory reservation", withHost({ MemoryReservation: mebibyte })],
    ["CPUs", withHost({ CpuQuota: 0 })],
    ["CPU shares", withHost({ CpuShares: 2 })],
    ["CPU set", withHost({ CpusetCpus: "0" })],
    ["block I/O weight", withHost({ BlkioWeight: 10 })],
    ["OOM killer", withHost({ OomKillDisable: true })],
    ["restart", withHost({ RestartPolicy: { Name: "no", MaximumRetryCount: 0 } })],
    ["log driver", withHost({ LogConfig: { Type: "none", Config: { "max-size": "10m" } } })],
    ["log options", withHost({ LogConfig: { Type: "json-file", Config: {} } })],
    ["network mode", withHost({ NetworkMode: "host" })],
    [
      "networks",
      { ...asAsked, NetworkSettings: { Networks: { net: { NetworkID: "n2", Aliases: ["gateway"] } } } },
    ],
    ["extra hosts", withHost({ ExtraHosts: null })],
    ["DNS", withHost({ Dns: ["192.0.2.1"] })],
    ["PID namespace", withHost({ PidMode: "host" })],
    ["IPC namespace", withHost({ IpcMode: "host" })],
    ["user namespace", withHost({ UsernsMode: "host" })],
    ["cgroup", withHost({ CgroupParent: "/other" })],
    ["init process", withHost({ Init: true })],
    ["groups added", withHost({ GroupAdd: ["docker"] })],
    ["sysctls", withHost({ Sysctls: { "net.core.somaxconn": "1" } })],
    ["ulimits", withHost({ Ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }] })],
    [
      "devices",
      withHost({
        Devices: [{ PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "rwm" }],
      }),
    ],
    ["GPUs", withHost({ DeviceRequests: [{ Driver: "nvidia", Count: -1, DeviceIDs: null }] })],
  ])("shows a changed %s", (property, actual) => {
    expect(compare(actual).map((difference) => difference.property)).toContain(property);
  });

  it.each<[string, Partial<ContainerInputs>]>([
    ["hostname", { hostname: "gw" }],
    ["runtime", { runtime: "nvidia" }],
    ["shared memory", { shmSize: 128 }],
  ])("is compared with the %s that was asked for", (property, asked) => {
    expect(compare(asAsked, asked).map((difference) => difference.property)).toEqual([property]);
  });

  it("is compared by which GPUs it was given, in whatever order", () => {
    const deviceRequests = [{ driver: "nvidia", deviceIds: ["0", "1"], capabilities: ["gpu"] }];
    const given = (...DeviceIDs: string[]) =>
      withHost({ DeviceRequests: [{ Driver: "nvidia", Count: 0, DeviceIDs }] });
    expect(compare(given("1", "0"), { deviceRequests })).toEqual([]);
    expect(compare(given("0"), { deviceRequests })).toMatchObject([
      { property: "GPUs", expected: "0 1 by nvidia", actual: "0 by nvidia", repair: "replace" },
    ]);
  });

  it("that was made by hand is removed, whatever differs", () => {
    const repairs = compare({ ...withConfig({ Cmd: [] }), Id: "2".repeat(64) }).map(({ repair }) => repair);
    expect(new Set(repairs.map((repair) => JSON.stringify(repair)))).toEqual(
      new Set(['[["container","rm","--force","x-gateway"]]']),
    );
  });

  it("shows no value of a variable that it was not given, or that is named like a secret", () => {
    const Env = ["PATH=/bin", "API_KEY=planted-one", "LOG_LEVEL=info", "SMTP=planted-two"];
    expect(found(withConfig({ Env }))).toEqual([
      ["environment API_KEY", "set (not shown)", "set to something else (not shown)"],
      ["environment SMTP", "not set", "set to something else (not shown)"],
    ]);
  });

  it("is compared without its image's defaults when the image is gone", () => {
    const networks = new Map([["net", "n1"]]);
    const differences = compareContainer(
      { urn: "urn", resource: "gateway-container", id, inputs, image: undefined, networks },
      withConfig({ Cmd: ["whatever"] }),
    );
    expect(differences).toEqual([]);
  });
});

it("every compared input is known to the provider", () => {
  const types = readFileSync("node_modules/@pulumi/docker/container.d.ts", "utf8");
  for (const input of comparedInputs)
    if (input !== "__defaults") expect(types).toMatch(new RegExp(`\\b${input}\\??:`));
});
