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

export interface Answer {
  readonly ready: boolean;
  readonly detail: string;
}

export interface Waiting {
  readonly container: string;
  readonly timeoutSeconds: number;
  /** Limit of processes that it is given once it is ready. */
  readonly pids: string;
}

/** Its reason is printed. */
export class NotReady extends Error {
  override readonly name = "NotReady";
}

/**
 * Returns when a container answers that it is ready; fails with its last log lines when it exits, is killed, turns
 * unhealthy or takes too long.
 */
export async function waitUntilReady(
  { container: name, timeoutSeconds, pids }: Waiting,
  ask: (state: ContainerState | undefined) => Promise<Answer>,
): Promise<void> {
  let before: Past | undefined;
  const started = performance.now();
  let told = started;
  for (;;) {
    const { state, silent } = await look(name);
    let answer: Answer;
    if (silent === undefined) {
      before ??= past(state);
      before.unhealthy &&= state?.health === "unhealthy";
      const reason = failure(state, before) ?? (await formerFailure(name, state, before));
      if (reason !== undefined) await fail(name, reason);
      answer = await ask(state);
    } else {
      // An engine that is restarted brings the container back by itself, and that is no crash.
      before = undefined;
      answer = { ready: false, detail: silent };
    }
    const seconds = (performance.now() - started) / 1000;
    if (answer.ready) {
      // The provider has no argument for the limit of processes; the engine takes it at run time and keeps it. Not
      // before the container runs well: of one that is just crashing the engine says something else than why.
      await queryEngine(["container", "update", "--pids-limit", pids, name]);
      console.log(`${name} is ready`);
      return;
    }
    if (seconds > timeoutSeconds)
      await fail(
        name,
        `is not ready after ${String(timeoutSeconds)} s (readyTimeoutSeconds): ${answer.detail}`,
      );
    if (performance.now() - told > 10_000) {
      told = performance.now();
      console.error(`waiting for ${name}, ${seconds.toFixed(0)} s so far: ${answer.detail}`);
    }
    await sleep(seconds < 5 ? 100 : 500);
  }
}

/** What the container did before it was waited for, which is no failure now. */
interface Past {
  /** How often it had been restarted; beyond it, it fails. */
  readonly restarts: number;
  /** It had crashed, and the engine is about to start it again. */
  readonly restarting: boolean;
  unhealthy: boolean;
}

function past(state: ContainerState | undefined): Past {
  const { status, restarts = 0 } = state ?? {};
  const restarting = status === "restarting";
  return {
    // A container that crashed long ago and runs now is not failing; nor is one that crashed under a limit that has just
    // been raised, until it was started again.
    restarts: restarting ? restarts + 1 : status === "running" ? restarts : 0,
    restarting,
    // Nor is one that was paused or hung until now: what its last checks said is old, and the next one will tell.
    unhealthy: state?.health === "unhealthy",
  };
}

/** The state of the container, or why the engine does not tell. */
async function look(
  name: string,
): Promise<{ readonly state?: ContainerState | undefined; readonly silent?: string }> {
  try {
    return { state: await containerState(name) };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { silent: silence(error) };
  }
}

function silence({ message }: EngineError): string {
  return `the engine does not respond (${message.replaceAll(/\s*\n\s*/g, " ")})`;
}

const memoryKeys = "ollamaMemoryMiB, gatewayMemoryMiB or edgeMemoryMiB";

/** Why the container will not become ready, or undefined while it still may. */
function failure(state: ContainerState | undefined, before: Past): string | undefined {
  if (state === undefined) return "is gone: somebody removed it";
  if (state.status === "restarting" && before.restarting && state.restarts < before.restarts)
    return undefined;
  const code = String(state.exitCode);
  if (state.outOfMemory && (state.status !== "running" || state.restarts > before.restarts))
    return killedForMemory(state);
  if (state.status === "exited" || state.status === "dead") return `exited with code ${code}`;
  if (state.status === "restarting") return `crashed with code ${code} and is being restarted`;
  if (state.health === "unhealthy" && !before.unhealthy) return "is unhealthy: its health check fails";
  return undefined;
}

/** The same of one that runs again, whose state says nothing of it any more. */
async function formerFailure(
  name: string,
  state: ContainerState | undefined,
  before: Past,
): Promise<string | undefined> {
  if (state?.status !== "running" || state.restarts <= before.restarts) return undefined;
  const end = await lastExit(name, state).catch(() => undefined);
  if (end?.outOfMemory === true) return killedForMemory(state);
  return `crashed ${end === undefined ? "" : `with code ${String(end.exitCode)} `}and was restarted`;
}

function killedForMemory({ memoryLimit }: ContainerState): string {
  return `was killed because it needs more memory than ${String(memoryLimit / 1024 / 1024)} MiB; raise its limit: ${memoryKeys}`;
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

/** Asks at `url`, which may be the near end of a tunnel; messages have the address that people know. */
export async function askUrl(url: string, address: string): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const body = (await response.text()).slice(0, 300);
    return { ready: response.ok, detail: `${address} answers ${String(response.status)} ${body}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      ready: false,
      detail: `${address} does not respond (${cause instanceof Error ? cause.message : String(cause)})`,
    };
  }
}

/** Asks by a command in the container, which has so many milliseconds for its answer. */
export async function askInside(
  container: string,
  command: readonly string[],
  withinMs = 10_000,
): Promise<Answer> {
  const what = command.join(" ");
  try {
    const output = await docker(["exec", container, ...command], { merge: true, withinMs });
    return { ready: true, detail: `${what}: ${output.trim()}` };
  } catch (error) {
    return { ready: false, detail: `${what}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

/** What was reported stays reported; anything else is a bug. */
export async function exitCodeOf(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof EngineError) console.error(silence(error));
    else if (!(error instanceof NotReady)) throw error;
    process.exitCode = 1;
  }
}
