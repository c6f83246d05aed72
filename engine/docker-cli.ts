import { setTimeout as sleep } from "node:timers/promises";
import { runProcess } from "../host/run-process.ts";

// Uses Docker's own client, which supports contexts, DOCKER_HOST, TLS and ssh.

/** The address of a stack's engine. */
export interface EngineAddress {
  /** Such as ssh://user@host or tcp://host:2376; empty for the one that the environment or the context selects. */
  readonly dockerHost: string;
  /** Folder with ca.pem, cert.pem and key.pem for TLS; else empty. */
  readonly dockerCertPath: string;
}

/** The name of the engine's provider in the state. */
export const engineProvider = "engine";

/** Environment variables that make Docker's client use that engine; empty for the environment's own engine. */
export function engineEnvironment({ dockerHost, dockerCertPath }: EngineAddress): Record<string, string> {
  if (dockerHost === "") return {};
  const tls = dockerCertPath === "" ? {} : { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: dockerCertPath };
  return { DOCKER_HOST: dockerHost, ...tls };
}

/** The address from the config, else from the environment; empty if neither sets one. */
export function engineHost({ dockerHost }: EngineAddress): string {
  return dockerHost === "" ? (process.env["DOCKER_HOST"] ?? "") : dockerHost;
}

/** Whether an engine runs on another machine. */
export function isRemote(host: string): boolean {
  return /^(ssh|tcp|https?):/.test(host);
}

/** Docker's client failed: it exited with a non-zero code, or could not be started. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
}

/** The command timed out. */
export class EngineTimeout extends EngineError {
  override readonly name = "EngineTimeout";
}

/** Timeout of requests that an engine usually serves immediately; it may be busy, or behind ssh. */
export const queryTimeoutMs = 30_000;

interface DockerOptions {
  /** Returns stderr together with stdout. */
  readonly merge?: boolean;
  /** Standard input. */
  readonly input?: string;
  /** Receives stdout and stderr as they arrive. */
  readonly onOutput?: (text: string) => void;
  /** The engine to use; by default the environment's. */
  readonly engine?: EngineAddress;
  /** Timeout. An `exec` may hang forever in a container that crashes at that moment (containerd's issue 9719). */
  readonly withinMs?: number;
}

// An ssh server randomly drops new connections while ten of them are unauthenticated (MaxStartups in sshd_config), and
// Docker's client opens one for each call. It drops either the version negotiation, after which the client uses its own
// version, or the call itself. In both cases the engine has done nothing, so a retry is safe.
const CONNECTION_DROPPED = /client version [\d.]+ is too new|kex_exchange_identification/;
const ATTEMPTS = 4;
const RETRY_MS = 500;

/** Runs `docker` without a shell and returns its stdout. Retries calls that an ssh server dropped. */
export async function docker(args: readonly string[], options: DockerOptions = {}): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runDocker(args, options);
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof EngineError)) throw error;
      if (!CONNECTION_DROPPED.test(error.message)) throw error;
      await sleep(attempt * RETRY_MS);
    }
  }
}

async function runDocker(
  args: readonly string[],
  { merge = false, input = "", onOutput, engine, withinMs }: DockerOptions,
): Promise<string> {
  const what = `docker ${args[0] ?? ""}`;
  let merged = "";
  const end = await runProcess("docker", args, {
    env: { ...process.env, ...(engine && engineEnvironment(engine)) },
    input,
    timeoutMs: withinMs,
    onOutput: (text) => {
      if (merge) merged += text;
      onOutput?.(text);
    },
  }).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new EngineError(code === "ENOENT" ? "the docker command is not installed or not on PATH" : message);
  });
  if (end.timedOut)
    throw new EngineTimeout(`${what} did not finish within ${String((withinMs ?? 0) / 1000)} s`);
  if (end.code === 0) return merge ? merged : end.stdout;
  const reason = (merged || end.stderr || end.stdout).trim();
  throw new EngineError(`${what} failed: ${reason || `exit code ${String(end.code)}`}`);
}

/** The same for requests that an engine usually serves immediately, with a timeout. */
export function queryEngine(
  args: readonly string[],
  options: Omit<DockerOptions, "withinMs"> = {},
): Promise<string> {
  return docker(args, { ...options, withinMs: queryTimeoutMs });
}

/** The lines of a query's output. */
export async function queryLines(
  args: readonly string[],
  options: Omit<DockerOptions, "withinMs"> = {},
): Promise<string[]> {
  return (await queryEngine(args, options)).split("\n").filter(Boolean);
}

export interface ContainerState {
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly status: string;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** Bytes. */
  readonly memoryLimit: number;
  readonly restarts: number;
  /** starting, healthy, unhealthy, or none without a health check. */
  readonly health: string;
  /** By the engine's clock. */
  readonly created: string;
  readonly startedAt: string;
  /** The id, which differs from that of any other container that had or gets the name. */
  readonly id: string;
}

/** The state of a container; undefined if it does not exist. */
export async function containerState(name: string): Promise<ContainerState | undefined> {
  const format = "{{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}\n{{.Id}}";
  let text: string;
  try {
    text = await queryEngine(["container", "inspect", "--format", format, name]);
  } catch (error) {
    if (error instanceof EngineError && /no such container/i.test(error.message)) return undefined;
    throw error;
  }
  const [json = "", restarts, memory, created = "", id = ""] = text.trim().split("\n");
  const state = JSON.parse(json) as {
    Status: string;
    ExitCode: number;
    OOMKilled: boolean;
    StartedAt: string;
    Health?: { Status: string };
  };
  return {
    status: state.Status,
    exitCode: state.ExitCode,
    outOfMemory: state.OOMKilled,
    memoryLimit: Number(memory),
    restarts: Number(restarts),
    health: state.Health?.Status ?? "none",
    created,
    startedAt: state.StartedAt,
    id,
  };
}

export interface ContainerExit {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
}

/** How a container exited before its last restart, which its state no longer contains; undefined if unknown. */
export async function lastExit(
  name: string,
  { created, startedAt }: ContainerState,
): Promise<ContainerExit | undefined> {
  const text = await queryEngine([
    ...["events", "--since", created, "--until", startedAt],
    ...["--filter", `container=${name}`, "--filter", "event=oom", "--filter", "event=die"],
    ...["--format", '{{.Action}} {{index .Actor.Attributes "exitCode"}}'],
  ]);
  const events = text.trim().split("\n");
  const last = events.findLastIndex((event) => event.startsWith("die "));
  if (last === -1) return undefined;
  const former = events.slice(0, last).findLastIndex((event) => event.startsWith("die "));
  return {
    exitCode: Number(events[last]?.slice("die ".length)),
    // The kernel reports oom through another channel, so that event may come before or after the exit.
    outOfMemory: events.slice(former + 1).some((event) => event.startsWith("oom")),
  };
}

/** The last lines of a container's log, each truncated to 500 characters. */
export async function lastLogLines(name: string, count: number): Promise<string[]> {
  const text = await queryEngine(["container", "logs", "--tail", String(count), name], { merge: true });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.slice(0, 500));
}
