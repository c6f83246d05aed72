import { spawnSync } from "node:child_process";
import { hostname, tmpdir } from "node:os";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { checkContainers } from "../../../scripts/doctor/containers.ts";
import { checkEngine } from "../../../scripts/doctor/engine.ts";
import { type Finding, format, ok, problem, runChecks, warning } from "../../../scripts/doctor/finding.ts";
import { checkProxy } from "../../../scripts/doctor/machine.ts";
import { checkState } from "../../../scripts/doctor/state.ts";
import { FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const docker = new FakeDocker();
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-doctor-"));
afterAll(() => {
  docker.remove();
  rmSync(folder, { recursive: true });
});

const localEngine = { dockerHost: "", dockerCertPath: "" };
const config: Record<string, unknown> = {
  gatewayPort: "auto",
  ollamaPort: "auto",
  gatewayCpus: "1",
  ollamaMemoryMiB: 4096,
  gatewayMemoryMiB: 512,
  gpus: "none",
};
const info = {
  ServerVersion: "29.0.1",
  MemTotal: 16e9,
  NCPU: 8,
  CgroupVersion: "2",
  CgroupDriver: "systemd",
};
const engine = (own: object, more: Record<string, string> = {}) => {
  docker.mock({
    info: JSON.stringify({ ...info, ...own }),
    version: "28.2.2",
    "context show": "default",
    "container ls": "",
    ...more,
  });
};
const findings = async (settings: Record<string, unknown> = {}) =>
  (await checkEngine(localEngine, "dev", (key) => ({ ...config, ...settings })[key])).filter(
    ({ state }) => state !== "ok",
  );

describe("npm run doctor, checking the engine,", () => {
  it("finds no problem if it has everything that the stack needs", async () => {
    engine({});
    expect(await findings()).toEqual([]);
  });

  it("reports that it does not respond, with advice", async () => {
    docker.mock({ info: { fails: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." } });
    expect(await findings()).toEqual([
      {
        check: "Docker engine",
        state: "problem",
        found: expect.stringContaining("Cannot connect") as string,
        advice: expect.stringContaining("Start it") as string,
      },
    ]);
  });

  it("reports limits that it cannot apply, too little memory, missing GPU support and a port in use", async () => {
    engine(
      { CpuCfsQuota: false, SecurityOptions: ["name=rootless"], MemTotal: 2e9 },
      { "container ls": "others\trunning\t127.0.0.1:8000->80/tcp\n" },
    );
    const port = { gatewayPort: 8000, gatewayBindAddress: "127.0.0.1" };
    expect(
      (await findings({ gpus: "all", ...port })).map(({ check, state, found }) => [check, state, found]),
    ).toEqual([
      ["limits", "warning", "cgroup v2, systemd, rootless"],
      ["memory", "warning", "2.0 GB and 8 CPUs; the stack's limits are 4.8 GB"],
      [
        "GPU",
        "problem",
        "gpus is all, but the engine offers no GPU: docker info lists neither the runtime nvidia nor CDI devices nvidia.com/gpu",
      ],
      ["port", "problem", "gatewayPort 8000 is in use by the container others"],
    ]);
  });

  it("counts the memory of the edge and of Prometheus if the stack has them", async () => {
    engine({ MemTotal: 5e9 });
    expect(await findings()).toEqual([]);
    const edge = { edge: "http", edgeMemoryMiB: 256 };
    const prometheus = { monitoring: "prometheus", prometheusMemoryMiB: 512, prometheusPort: "auto" };
    for (const [settings, sum] of [
      [edge, "5.1 GB"],
      [prometheus, "5.4 GB"],
      [{ ...edge, ...prometheus }, "5.6 GB"],
    ] as const)
      expect(await findings(settings)).toMatchObject([
        { check: "memory", found: `5.0 GB and 8 CPUs; the stack's limits are ${sum}` },
      ]);
  });

  it("accepts GPUs that the engine offers as CDI devices only, and reports others", async () => {
    engine({
      DiscoveredDevices: ["0", "1", "all"].map((id) => ({ Source: "cdi", ID: `nvidia.com/gpu=${id}` })),
    });
    for (const gpus of ["all", "auto", "0,1", "none"]) expect(await findings({ gpus }), gpus).toEqual([]);
    expect(await findings({ gpus: "0,7" })).toEqual([
      {
        check: "GPU",
        state: "problem",
        found: "gpus names 7, but the engine has only 0, 1, all",
        advice: "Choose from those: pulumi config set gpus ID,ID",
      },
    ]);
    expect(await findings({ gpus: "most" })).toMatchObject([{ check: "GPU", found: "gpus is most" }]);
  });

  it("takes the ports of a stack's own containers as free, also if its name has an organization", async () => {
    const own = "ollama-stack-prod-gateway\trunning\t127.0.0.1:8000->8000/tcp\n";
    engine({}, { "container ls": own });
    const settings = (key: string) =>
      ({ ...config, gatewayPort: 8000, gatewayBindAddress: "127.0.0.1" })[key];
    const found = await checkEngine(localEngine, "acme/ollama-stack/prod", settings);
    expect(found.filter(({ state }) => state !== "ok")).toEqual([]);
  });

  it("reports containers that crash, are unhealthy or were killed for lack of memory", async () => {
    const inspected = (state: object, restarts: number) =>
      `${JSON.stringify({ Status: "running", ExitCode: 0, OOMKilled: false, StartedAt: "", ...state })}\n${String(restarts)}\n536870912\n`;
    docker.mock({
      "container ls": "ollama-stack-dev-ollama\nollama-stack-dev-gateway\nollama-stack-dev-edge\n",
      "container inspect --format {{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}\n{{.Id}} ollama-stack-dev-ollama":
        inspected({ OOMKilled: true }, 1),
      "container inspect --format {{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}\n{{.Id}} ollama-stack-dev-gateway":
        inspected({ Health: { Status: "unhealthy" } }, 0),
      "container inspect --format {{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}\n{{.Id}} ollama-stack-dev-edge":
        inspected({ Status: "exited", ExitCode: 3 }, 0),
    });
    const found = await checkContainers("dev");
    expect(found[0]?.advice).toMatch(/bring it back: npm run up -- --stack dev$/);
    expect(found.map(({ state, found }) => [state, found])).toEqual([
      ["problem", "ollama-stack-dev-edge: exited, 0 restarts, exit code 3"],
      ["warning", "ollama-stack-dev-gateway: running, unhealthy, 0 restarts"],
      ["problem", "ollama-stack-dev-ollama: running, 1 restarts, killed for lack of memory (512 MiB)"],
    ]);
  });
});

describe("npm run doctor, checking the environment,", () => {
  const states = (environment: Record<string, string>) =>
    checkProxy(environment, () => "").map(({ check, state }) => `${check} ${state}`);

  it("reports a proxy that would receive requests to this machine, in upper or lower case", () => {
    expect(states({})).toEqual(["proxy ok"]);
    expect(states({ HTTPS_PROXY: "http://proxy:3128" })).toEqual(["proxy warning"]);
    expect(states({ https_proxy: "http://proxy:3128", NO_PROXY: "localhost,127.0.0.1" })).toEqual([
      "proxy ok",
    ]);
  });

  it("reports a proxy of npm's or Docker's configuration", () => {
    expect(checkProxy({ npm_config_proxy: "http://npm:3128" }, () => "")[0]?.found).toContain(
      "https http://npm:3128",
    );
    const docker = JSON.stringify({ proxies: { default: { httpsProxy: "http://docker:3128" } } });
    expect(checkProxy({}, () => docker)[0]?.found).toContain("https http://docker:3128");
  });

  it("reports a missing certificate file", () => {
    expect(states({ NODE_EXTRA_CA_CERTS: "/nowhere.pem" })).toEqual(["proxy ok", "certificates problem"]);
  });
});

describe("npm run doctor, checking the state,", () => {
  const state = async (environment: Record<string, string>): Promise<Finding[]> =>
    await checkState("none-such", (key) => config[key], {
      PULUMI_CONFIG_PASSPHRASE_FILE: join(folder, "passphrase"),
      ...environment,
    });

  it("reports that nothing was deployed yet", async () => {
    const none = join(folder, "none");
    process.env["PULUMI_HOME"] = none;
    expect(await state({ OLLAMA_STACK_STATE: none })).toEqual([
      ok("state", "none yet: nothing was deployed from here"),
    ]);
  });

  it("reports the lock of a dead process and a missing passphrase", async () => {
    const locks = join(folder, "backend", ".pulumi", "locks", "organization", "ollama-stack", "none-such");
    mkdirSync(locks, { recursive: true });
    const lock = { pid: 2 ** 30, username: "ada", hostname: hostname() };
    writeFileSync(join(locks, "1.json"), JSON.stringify(lock));
    const found = await state({ PULUMI_BACKEND_URL: pathToFileURL(join(folder, "backend")).href });
    expect(found).toEqual(
      expect.arrayContaining([
        warning(
          "lock",
          `ada on ${hostname()}, process ${String(2 ** 30)}, which is gone`,
          "The next npm run up clears it.",
        ),
        expect.objectContaining({ check: "passphrase", state: "warning" }),
      ]),
    );
  });
});

describe("the output of npm run doctor", () => {
  it("has no credentials, and lists a failed check as a problem", async () => {
    const secret = "hunter2hunter2";
    const found = await runChecks({
      proxy: () => [ok("proxy", `https_proxy http://ada:${secret}@proxy:3128`)],
      state: () => [problem("state", `s3://bucket?access_token=${secret}&region=x`, `use sk-${secret}`)],
      disk: () => Promise.reject(new Error("no such device")),
    });
    const text = format(found);
    expect(text + JSON.stringify(found)).not.toContain(secret);
    expect(text).toContain("http://...@proxy:3128");
    expect(text).toMatch(/PROBLEM +disk +cannot be checked: no such device/);
    expect(text).toMatch(/\n2 problems, 0 warnings$/);
  });

  it("is about the stack of the tools in OLLAMA_STACK_WORLD, as for an update", () => {
    const home = join(folder, "built");
    mkdirSync(home);
    const { stdout } = spawnSync(process.execPath, ["scripts/commands/doctor.ts", "--json"], {
      encoding: "utf8",
      env: { HOME: home, PATH: home, HTTPS_PROXY: "http://127.0.0.1:1", OLLAMA_STACK_WORLD: "built" },
    });
    expect(JSON.parse(stdout)).toMatchObject({ stack: "local" });
  });

  it("is JSON with --json, even without a Docker client, an engine or a network", () => {
    const home = join(folder, "home");
    mkdirSync(home);
    const { status, stdout } = spawnSync(
      process.execPath,
      ["scripts/commands/doctor.ts", "--stack", "dev", "--json"],
      {
        encoding: "utf8",
        env: { HOME: home, PATH: home, HTTPS_PROXY: "http://127.0.0.1:1" },
      },
    );
    const { stack, findings: all } = JSON.parse(stdout) as { stack: string; findings: Finding[] };
    expect(stack).toBe("dev");
    expect(all).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          check: "Docker engine",
          state: "problem",
          found: "the docker command is not installed or not on PATH",
        }),
        expect.objectContaining({ check: "network", state: "warning" }),
      ]),
    );
    expect(status).toBe(1);
  });
});
