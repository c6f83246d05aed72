import { setTimeout as sleep } from "node:timers/promises";
import { runProcess } from "../host/run-process.ts";

// The engine is reached through Docker's own client: it knows contexts, DOCKER_HOST, TLS and ssh.

/** Which engine a stack is on. */
export interface EngineAddress {
  /** Such as ssh://user@host or tcp://host:2376; empty means the one that the environment or the context names. */
  readonly dockerHost: string;
  /** Folder of ca.pem, cert.pem and key.pem for an engine behind TLS; else empty. */
  readonly dockerCertPath: string;
}

/** The name of the provider for that engine, by which the state records where a stack is. */
export const engineProvider = "engine";

/** What Docker's client has to find in its environment to talk to that engine; nothing for the environment's own. */
export function engineEnvironment({ dockerHost, dockerCertPath }: EngineAddress): Record<string, string> {
  if (dockerHost === "") return {};
  const tls = dockerCertPath === "" ? {} : { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: dockerCertPath };
  return { DOCKER_HOST: dockerHost, ...tls };
}

/** The address that the config or the environment gives; empty when neither does. */
export function engineHost({ dockerHost }: EngineAddress): string {
  return dockerHost === "" ? (process.env["DOCKER_HOST"] ?? "") : dockerHost;
}

/** Whether an engine's ports are ports of another machine. */
export function isRemote(host: string): boolean {
  return /^(ssh|tcp|https?):/.test(host);
}

/** The Docker client failed: its exit code is not 0, or it could not be started. */
export class EngineError extends Error {
  override readonly name: string = "EngineError";
}

/** The command timed out. */
export class EngineTimeout extends EngineError {
  override readonly name = "EngineTimeout";
}

/** Milliseconds that an engine has for what it answers at once as a rule: it may be busy, or behind ssh. */
export const queryTimeoutMs = 30_000;

interface DockerOptions {
  /** What it writes to stderr is returned, too. */
  readonly merge?: boolean;
  /** What it reads. */
  readonly input?: string;
  /** Is given what it writes, to stdout and to stderr, as it comes. */
  readonly tell?: (text: string) => void;
  /** The engine it talks to; by default the one that the environment names. */
  readonly engine?: EngineAddress;
  /** Given up after so many milliseconds. Engines are known to never end an `exec` in a container that crashes just then (containerd's issue 9719). */
  readonly withinMs?: number;
}

// An ssh server drops new connections at random while ten of them wait for their authentication (MaxStartups of
// sshd_config), and Docker's client makes one for each call. Either its question which version to speak is dropped, so
// that it speaks its own, or the call itself. The engine has done nothing then.
const CONNECTION_DROPPED = /client version [\d.]+ is too new|kex_exchange_identification/;
const ATTEMPTS = 4;
const RETRY_MS = 500;

/** Runs `docker` without a shell and returns what it wrote to stdout. A call that an ssh server drops is made again. */
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
  { merge = false, input = "", tell, engine, withinMs }: DockerOptions,
): Promise<string> {
  const what = `docker ${args[0] ?? ""}`;
  let merged = "";
  const end = await runProcess("docker", args, {
    env: { ...process.env, ...(engine && engineEnvironment(engine)) },
    input,
    timeoutMs: withinMs,
    onOutput: (text) => {
      if (merge) merged += text;
      tell?.(text);
    },
  }).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new EngineError(code === "ENOENT" ? "the docker command is not installed or not on PATH" : message);
  });
  if (end.timedOut) throw new EngineTimeout(`${what} did not end within ${String((withinMs ?? 0) / 1000)} s`);
  if (end.code === 0) return merge ? merged : end.stdout;
  const reason = (merged || end.stderr || end.stdout).trim();
  throw new EngineError(`${what} failed: ${reason || `exit code ${String(end.code)}`}`);
}

/** The same for requests that an engine answers at once as a rule; one that does not is reported. */
export function queryEngine(
  args: readonly string[],
  options: Omit<DockerOptions, "withinMs"> = {},
): Promise<string> {
  return docker(args, { ...options, withinMs: queryTimeoutMs });
}

export interface ContainerState {
  /** created, running, paused, restarting, removing, exited or dead. */
  readonly status: string;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  /** Bytes. */
  readonly memoryLimit: number;
  readonly restarts: number;
  /** starting, healthy or unhealthy; none without a health check. */
  readonly health: string;
  /** By the engine's clock. */
  readonly created: string;
  readonly startedAt: string;
}

/** The state of a container, or undefined when there is none of that name. */
export async function containerState(name: string): Promise<ContainerState | undefined> {
  const format = "{{json .State}}\n{{.RestartCount}}\n{{.HostConfig.Memory}}\n{{.Created}}";
  let text: string;
  try {
    text = await queryEngine(["container", "inspect", "--format", format, name]);
  } catch (error) {
    if (error instanceof EngineError && /no such container/i.test(error.message)) return undefined;
    throw error;
  }
  const [json = "", restarts, memory, created = ""] = text.trim().split("\n");
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
  };
}

export interface End {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
}

/** How a container ended before the engine started it again, which its state no longer says; undefined: not known. */
export async function lastEnd(
  name: string,
  { created, startedAt }: ContainerState,
): Promise<End | undefined> {
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
    // The event may come before the end or after it: the kernel reports another way.
    outOfMemory: events.slice(former + 1).some((event) => event.startsWith("oom")),
  };
}

/** The last lines a container logged, each cut at 500 characters. */
export async function lastLogLines(name: string, count: number): Promise<string[]> {
  const text = await queryEngine(["container", "logs", "--tail", String(count), name], { merge: true });
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.slice(0, 500));
}
