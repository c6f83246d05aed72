import { setTimeout as sleep } from "node:timers/promises";
import {
  queryEngine,
  containerState,
  docker,
  EngineError,
  lastExit,
  lastLogLines,
  type ContainerState,
} from "../../../engine/docker-cli.ts";

export interface ProbeResult {
  readonly ready: boolean;
  readonly detail: string;
}

export interface WaitOptions {
  readonly container: string;
  readonly timeoutSeconds: number;
  /** Limit of processes, set once the container is ready. */
  readonly pids: string;
}

/** The container did not become ready; the reason has already been printed. */
export class NotReady extends Error {
  override readonly name = "NotReady";
}

/**
 * Polls a probe until the container is ready. Fails with its last log lines if it exits, is killed, becomes unhealthy or
 * times out.
 */
export async function waitUntilReady(
  { container: name, timeoutSeconds, pids }: WaitOptions,
  probe: (state: ContainerState | undefined) => Promise<ProbeResult>,
): Promise<void> {
  let before: PriorState | undefined;
  const started = performance.now();
  let loggedAt = started;
  for (;;) {
    const { state, engineError } = await inspect(name);
    let result: ProbeResult;
    if (engineError === undefined) {
      before ??= priorState(state);
      before.unhealthy &&= state?.health === "unhealthy";
      const reason = failure(name, state, before) ?? (await failureBeforeRestart(name, state, before));
      if (reason !== undefined) await fail(name, reason);
      result = await probe(state);
    } else {
      // A restarting engine restarts the container itself, which does not count as a crash.
      before = undefined;
      result = { ready: false, detail: engineError };
    }
    const seconds = (performance.now() - started) / 1000;
    if (result.ready) {
      // The provider has no argument for the limit of processes, so it is set at run time; the engine keeps it. Setting it
      // on a container that is crashing would hide the reason behind another error.
      await limitProcesses(name, pids);
      console.log(`${name} is ready`);
      return;
    }
    if (seconds > timeoutSeconds)
      await fail(
        name,
        `is not ready after ${String(timeoutSeconds)} s (readyTimeoutSeconds): ${result.detail}`,
      );
    if (performance.now() - loggedAt > 10_000) {
      loggedAt = performance.now();
      console.error(`waiting for ${name}, ${seconds.toFixed(0)} s so far: ${result.detail}`);
    }
    await sleep(seconds < 5 ? 100 : 500);
  }
}

async function limitProcesses(name: string, pids: string): Promise<void> {
  try {
    await queryEngine(["container", "update", "--pids-limit", pids, name]);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    console.error(
      `Container ${name} is ready, but its limit of ${pids} processes cannot be set: ${oneLine(error)}`,
    );
    throw new NotReady();
  }
}

/** Failures of the container from before the wait, which are ignored. */
interface PriorState {
  /** Number of restarts so far; another one is a failure. */
  readonly restarts: number;
  /** It had crashed, and the engine is about to restart it. */
  readonly restarting: boolean;
  unhealthy: boolean;
}

function priorState(state: ContainerState | undefined): PriorState {
  const { status, restarts = 0 } = state ?? {};
  const restarting = status === "restarting";
  return {
    // A container that crashed earlier and runs now is not failing; nor is one that crashed under a limit that was just
    // raised, until the engine has restarted it.
    restarts: restarting ? restarts + 1 : status === "running" ? restarts : 0,
    restarting,
    // Nor is one that was paused or hung until now: its last health checks are outdated.
    unhealthy: state?.health === "unhealthy",
  };
}

/** The state of the container, or why the engine did not return it. */
async function inspect(
  name: string,
): Promise<{ readonly state?: ContainerState | undefined; readonly engineError?: string }> {
  try {
    return { state: await containerState(name) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { engineError: `the engine does not respond (${oneLine(error)})` };
  }
}

function oneLine({ message }: EngineError): string {
  return message.replaceAll(/\s*\n\s*/g, " ");
}

/** Why the container will not become ready, or undefined while it still may. */
function failure(name: string, state: ContainerState | undefined, before: PriorState): string | undefined {
  if (state === undefined) return "no longer exists: somebody removed it";
  if (state.status === "restarting" && before.restarting && state.restarts < before.restarts)
    return undefined;
  const code = String(state.exitCode);
  if (state.outOfMemory && (state.status !== "running" || state.restarts > before.restarts))
    return killedForMemory(name, state);
  if (state.status === "exited" || state.status === "dead") return `exited with code ${code}`;
  if (state.status === "restarting") return `crashed with code ${code} and is being restarted`;
  if (state.health === "unhealthy" && !before.unhealthy) return "is unhealthy: its health check fails";
  return undefined;
}

/** The same for a container that was restarted, so that its state no longer contains the failure. */
async function failureBeforeRestart(
  name: string,
  state: ContainerState | undefined,
  before: PriorState,
): Promise<string | undefined> {
  if (state?.status !== "running" || state.restarts <= before.restarts) return undefined;
  const exit = await lastExit(name, state).catch(() => undefined);
  if (exit?.outOfMemory === true) return killedForMemory(name, state);
  return `crashed ${exit === undefined ? "" : `with code ${String(exit.exitCode)} `}and was restarted`;
}

function killedForMemory(name: string, { memoryLimit }: ContainerState): string {
  const [, component = "ollama"] = /-(ollama|gateway|edge|prometheus)(-\d+)?$/.exec(name) ?? [];
  return `was killed because it needs more memory than ${String(memoryLimit / 1024 / 1024)} MiB; raise its limit: ${component}MemoryMiB`;
}

async function fail(name: string, how: string): Promise<never> {
  console.error(`Container ${name} ${how}.\n${await logOf(name)}`);
  throw new NotReady();
}

async function logOf(name: string): Promise<string> {
  try {
    const lines = await lastLogLines(name, 15);
    if (lines.length === 0) return "It logged nothing.";
    return `Its last log lines:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return `Its log cannot be read: ${error.message}.`;
  }
}

/** Requests `url`, which may lead through a tunnel; messages contain `address`, which users know. */
export async function probeUrl(url: string, address: string): Promise<ProbeResult> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const body = (await response.text()).slice(0, 300);
    return { ready: response.ok, detail: `${address} responded with ${String(response.status)} ${body}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      ready: false,
      detail: `${address} does not respond (${cause instanceof Error ? cause.message : String(cause)})`,
    };
  }
}

/** Runs a command in the container. */
export async function probeCommand(
  container: string,
  command: readonly string[],
  withinMs = 10_000,
): Promise<ProbeResult> {
  const what = command.join(" ");
  try {
    const output = await docker(["exec", container, ...command], { merge: true, withinMs });
    return { ready: true, detail: `${what}: ${output.trim()}` };
  } catch (error) {
    return { ready: false, detail: `${what}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** Runs `work` and sets the exit code on failure. NotReady has already been reported; other errors are bugs. */
export async function setExitCode(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EngineError) console.error(oneLine(error));
    else if (!(error instanceof NotReady)) throw error;
    process.exitCode = 1;
  }
}
