import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { HandOverTimes } from "../../gateway/src/standby/standby.ts";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import { startGateway, type TestGateway } from "./gateway-harness.ts";

interface ControlResult {
  readonly code: number;
  readonly output: string;
}

export interface Controlled extends TestGateway {
  /** Runs the image's control client, as an update does. */
  control(...args: string[]): Promise<ControlResult>;
}

/** Starts a gateway with a control socket, in front of the given fakes. */
export async function controlled(
  fakes: readonly FakeOllama[],
  environment: Record<string, string> = {},
  handOver?: HandOverTimes,
): Promise<Controlled> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-control-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const socket = join(folder, "control.sock");
  const [first] = fakes;
  if (first === undefined) throw new Error("no Ollama");
  const servers = {
    LLM_BACKENDS: fakes.map(({ port }) => `127.0.0.1:${port}`).join(),
    CONTROL_SOCKET: socket,
  };
  const gateway = await startGateway(first, { ...servers, ...environment }, handOver);
  const control = (...args: string[]) =>
    new Promise<ControlResult>((resolve) => {
      const env = { ...process.env, CONTROL_SOCKET: socket };
      execFile(
        process.execPath,
        ["gateway/src/bin/control-client.ts", ...args],
        { env },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
        },
      );
    });
  return { ...gateway, control };
}
