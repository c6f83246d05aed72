import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type EngineAddress, engineEnvironment, EngineError } from "../../engine/docker-cli.ts";
import { explainEngine } from "../../engine/diagnostics.ts";
import { chosenContext, type EngineEndpoint, endpointOf } from "./docker-context.ts";
import { installPackages } from "../../toolchain/apt.ts";
import { type DockerApi, dockerApi, dockerClientApi, EngineHangs } from "../../engine/docker-api.ts";
import { podmanProblem } from "../../engine/podman.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { printLine, step } from "../../host/progress.ts";
import { tryRun, runTool, SetupError } from "../../host/exec.ts";

/** A responding engine. */
interface Engine {
  readonly host: string;
  /** The configuration of Pulumi's Docker provider, which does not support contexts. */
  readonly env: Readonly<Record<string, string>>;
  readonly api: DockerApi;
}

/** The default socket of Docker's client. Exported for its test. */
export function defaultEngineHost(platform: string): string {
  return platform === "win32" ? "npipe:////./pipe/docker_engine" : "unix:///var/run/docker.sock";
}

const defaultHost = defaultEngineHost(process.platform);
const startsWithinMs = 60_000;

type Locked = (work: () => Promise<void>) => Promise<void>;

/**
 * Finds the engine in the stack's config, else the one that Docker's client would use; on a Debian machine without one,
 * installs and starts it, one run at a time.
 */
export async function ensureEngine(locked: Locked, address: EngineAddress): Promise<Engine> {
  const engine = address.dockerHost === "" ? await ownEngine(locked) : await namedEngine(locked, address);
  const problem = podmanProblem(await engine.api.components());
  if (problem !== undefined) throw new SetupError(problem);
  return engine;
}

/**
 * Connects to a configured engine, which is never started from here. Afterwards Docker's client in this process uses it.
 * Pulumi gets it from the config; its environment is unchanged, because deployed resources may be on another engine.
 */
async function namedEngine(locked: Locked, address: EngineAddress): Promise<Engine> {
  if (!onPath("docker")) await locked(() => installPackages(["docker.io"]));
  // Variables for another engine in the shell would take precedence over the config.
  const none = { DOCKER_CONTEXT: "", DOCKER_TLS_VERIFY: "", DOCKER_CERT_PATH: "" };
  Object.assign(process.env, none, engineEnvironment(address));
  const api = dockerClientApi();
  try {
    await api.ping();
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new SetupError(explainEngine(address, error.message));
  }
  return { host: address.dockerHost, env: {}, api };
}

async function ownEngine(locked: Locked): Promise<Engine> {
  const { host, tls } = await findEndpoint();
  const isKnown = host === defaultHost || process.env["DOCKER_HOST"] === host;
  // In the provider, a context takes precedence over the address.
  const env: Record<string, string> = isKnown ? {} : { DOCKER_HOST: host, DOCKER_CONTEXT: "", ...tls };
  if (!host.startsWith("unix://")) {
    const version = await tryRun("docker", ["version", "--format", "{{.Server.Version}}"], {
      env: { DOCKER_HOST: host, ...tls },
    });
    if (version === undefined) throw new SetupError(host === defaultHost ? notRunning : silent(host));
    return { host, env, api: dockerClientApi() };
  }
  const socket = host.slice("unix://".length);
  const api = dockerApi(socket);
  try {
    await api.ping();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") {
      throw new SetupError(
        `you may not use the Docker engine at ${socket}: add yourself to its group (sudo usermod -aG docker $USER) and log in again`,
      );
    }
    // It is busy, or systemd is starting it; a second daemon would fail.
    if (error instanceof EngineHangs) await waitForEngine(api, error);
    else if (host !== defaultHost) throw new SetupError(silent(host));
    else await locked(() => startEngine(api));
  }
  if (!onPath("docker"))
    throw new SetupError(
      "the docker command is missing: install Docker's client (on Debian: apt-get install docker.io)",
    );
  return { host, env, api };
}

const notRunning =
  "no Docker engine is running: start Docker, or install it (docs.docker.com/engine/install), then run it again";

function silent(host: string): string {
  return `no Docker engine responds at ${host}: start it, or unset DOCKER_HOST or the docker context`;
}

/** DOCKER_HOST, else the selected context's address, else the default socket. */
async function findEndpoint(): Promise<EngineEndpoint> {
  const fromEnvironment = process.env["DOCKER_HOST"];
  if (fromEnvironment) return { host: fromEnvironment, tls: {} };
  const context = chosenContext();
  return context === undefined ? { host: defaultHost, tls: {} } : await endpointOf(context);
}

async function startEngine(api: DockerApi): Promise<void> {
  // A concurrent run may have installed it.
  if (!(await isSilent(api))) return;
  if (process.platform !== "linux" || process.getuid?.() !== 0 || !onPath("apt-get")) {
    throw new SetupError(notRunning);
  }
  await step("Docker engine", 30, async (report) => {
    const missing = [!onPath("dockerd") && "docker.io", !onPath("iptables") && "iptables"].filter(
      (name) => name !== false,
    );
    await installPackages(missing, report);
    if (existsSync("/run/systemd/system"))
      await runTool("systemctl", ["start", "docker"], { what: "start docker", report });
    else if (await isSilent(api)) startDaemon();
    if (!(await respondsWithin(startsWithinMs, api))) throw new SetupError(endOfLog());
  });
}

async function waitForEngine(api: DockerApi, { message }: EngineHangs): Promise<void> {
  await step("Waiting for the Docker engine", 30, async () => {
    if (!(await respondsWithin(startsWithinMs, api))) throw new SetupError(message);
  });
}

/** The package may already have started it. */
async function isSilent(api: DockerApi): Promise<boolean> {
  return await api.ping().then(
    () => false,
    () => true,
  );
}

const daemonLog = () => join(cacheRoot(), "logs", "dockerd.log");

function startDaemon(): void {
  const pidFile = "/var/run/docker.pid";
  // A killed daemon leaves its pid file behind, and the next one refuses to start while any process has that id.
  if (existsSync(pidFile) && !isDaemon(readFileSync(pidFile, "utf8").trim())) rmSync(pidFile);
  const log = openSync(daemonLog(), "a");
  const daemon = spawn("dockerd", [], { detached: true, stdio: ["ignore", log, log] });
  // Without a listener, the error would crash this process; respondsWithin reports it.
  daemon.on("error", (error) => {
    printLine(`  dockerd: ${error.message}`);
  });
  daemon.unref();
  closeSync(log);
}

function isDaemon(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim() === "dockerd";
  } catch {
    return false;
  }
}

async function respondsWithin(ms: number, api: DockerApi): Promise<boolean> {
  const until = Date.now() + ms;
  while (Date.now() < until) {
    if (!(await isSilent(api))) return true;
    await sleep(300);
  }
  return false;
}

function endOfLog(): string {
  const log = existsSync(daemonLog()) ? readFileSync(daemonLog(), "utf8").trim().split("\n").slice(-3) : [];
  return [`the Docker engine does not start; its log is ${daemonLog()}`, ...log].join("\n  | ");
}

function onPath(command: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, process.platform === "win32" ? `${command}.exe` : command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
