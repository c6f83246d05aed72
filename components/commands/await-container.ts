// Run by Pulumi after a container was made: returns when it is ready, fails with its last log lines when it
// exits, is killed, turns unhealthy or takes too long. The provider's own `wait` looks only at create, does not
// notice an exit, and is not tried again by the next update.
import { setTimeout as sleep } from "node:timers/promises";
import { containerState, docker, lastLogLines, type ContainerState } from "../engine.ts";
import { required } from "./environment.ts";
import { reaching } from "./reach.ts";

const name = required("CONTAINER_NAME");
const readyUrl = process.env["READY_URL"];
const timeoutSeconds = Number(required("READY_TIMEOUT_SECONDS"));
const pids = required("PIDS_LIMIT");

/** Why the container will not become ready, or undefined while it still may. */
function failure(
  state: ContainerState | undefined,
  restartsBefore: number,
  unhealthyBefore: boolean,
): string | undefined {
  if (state === undefined) return "is gone: somebody removed it";
  const code = String(state.exitCode);
  if (state.outOfMemory && (state.status !== "running" || state.restarts > restartsBefore))
    return "was killed because it ran out of memory; raise its memory limit";
  if (state.status === "exited" || state.status === "dead") return `exited with code ${code}`;
  if (state.status === "restarting") return `crashed with code ${code} and is being restarted`;
  // It runs again, so its last exit code is gone.
  if (state.restarts > restartsBefore) return "crashed and was restarted";
  if (state.health === "unhealthy" && !unhealthyBefore) return "is unhealthy: its health check fails";
  return undefined;
}

interface Answer {
  readonly ready: boolean;
  readonly detail: string;
}

/** Asks at `url`, which may be the near end of a tunnel; what is told is the address that people know. */
async function ask(url: string, address: string): Promise<Answer> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    const body = (await response.text()).slice(0, 300);
    return { ready: response.ok, detail: `${address} answers ${String(response.status)} ${body}` };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return {
      ready: false,
      detail: `${address} does not answer (${cause instanceof Error ? cause.message : String(cause)})`,
    };
  }
}

async function fail(how: string): Promise<never> {
  const lines = await lastLogLines(name, 15).catch(() => []);
  const log =
    lines.length === 0
      ? "It logged nothing."
      : `Its last log lines:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  console.error(`Container ${name} ${how}.\n${log}`);
  throw new NotReady();
}

/** Its reason is printed. */
class NotReady extends Error {
  override readonly name = "NotReady";
}

/** Returns when the container is ready; without a URL to ask, when its health check says so. */
async function waitFor(url: string | undefined): Promise<void> {
  // A container that crashed long ago and runs now is not failing.
  const first = await containerState(name);
  const restartsBefore = first?.status === "running" ? first.restarts : 0;
  // Nor is one that was paused or hung until now: what its last checks said is old, and the next one will tell.
  let unhealthyBefore = first?.health === "unhealthy";
  const started = performance.now();
  let told = started;
  for (;;) {
    const state = await containerState(name);
    unhealthyBefore &&= state?.health === "unhealthy";
    const reason = failure(state, restartsBefore, unhealthyBefore);
    if (reason !== undefined) await fail(reason);
    const answer =
      url === undefined
        ? { ready: state?.health === "healthy", detail: `health: ${state?.health ?? "?"}` }
        : await ask(url, readyUrl ?? url);
    const seconds = (performance.now() - started) / 1000;
    if (answer.ready) {
      // The provider has no argument for the limit of processes; the engine takes it at run time and keeps it. Not
      // before the container runs well: of one that is just crashing the engine says something else than why.
      await docker(["container", "update", "--pids-limit", pids, name]);
      console.log(`${name} is ready`);
      return;
    }
    if (seconds > timeoutSeconds)
      await fail(`is not ready after ${String(timeoutSeconds)} s (readyTimeoutSeconds): ${answer.detail}`);
    if (performance.now() - told > 10_000) {
      told = performance.now();
      console.error(`waiting for ${name}, ${seconds.toFixed(0)} s so far: ${answer.detail}`);
    }
    await sleep(seconds < 5 ? 100 : 500);
  }
}

try {
  if (readyUrl === undefined) await waitFor(undefined);
  else await reaching(readyUrl, waitFor);
} catch (error) {
  if (!(error instanceof NotReady)) throw error;
  process.exitCode = 1;
}
