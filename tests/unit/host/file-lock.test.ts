import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isAbandoned, withLock } from "../../../host/file-lock.mjs";
import { isRunning, processStatus } from "../../../host/process-liveness.mjs";

let folder: string;
const lock = () => join(folder, "setup.lock");
const silent = () => undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ollama-stack-lock-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the setup lock", () => {
  it("lets one run work at a time, reports the owner to the waiting one, and is removed afterwards", async () => {
    const order: string[] = [];
    const waiting = vi.fn();
    const work = (name: string) => async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 50));
      order.push(`${name} ends`);
    };
    await Promise.all([withLock(lock(), waiting, work("a")), withLock(lock(), waiting, work("b"))]);
    expect(order).toEqual(["a begins", "a ends", "b begins", "b ends"]);
    expect(waiting).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ pid: process.pid }));
    expect(existsSync(lock())).toBe(false);
  });

  it("is taken over from a process that has ended", async () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    writeFileSync(lock(), JSON.stringify({ pid, started: "1" }));
    expect(await withLock(lock(), silent, () => Promise.resolve("worked"))).toBe("worked");
  });

  it.each(["", "null", "{", '{"pid":"1"}'])("is taken over if its content is %j", async (content) => {
    writeFileSync(lock(), content);
    expect(await withLock(lock(), silent, () => Promise.resolve("worked"))).toBe("worked");
    expect(readdirSync(folder)).toEqual([]);
  });

  // Reading another user's lock fails in the same way, but this test may run as root.
  it("is reported if it cannot be read", async () => {
    mkdirSync(lock());
    await expect(withLock(lock(), silent, () => Promise.resolve())).rejects.toThrow(
      `the lock ${lock()} cannot be read (EISDIR): delete it`,
    );
    expect(readdirSync(folder)).toEqual(["setup.lock"]);
  });

  it("is taken over if another process has reused the owner's PID", () => {
    const { started = "" } = processStatus(process.pid) ?? {};
    expect(isAbandoned({ pid: process.pid, started })).toBe(false);
    expect(isAbandoned({ pid: process.pid, started: "1" })).toBe(true);
  });

  it("is released when the work fails", async () => {
    await expect(withLock(lock(), silent, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(existsSync(lock())).toBe(false);
  });
});

describe("whether a process is running", () => {
  it("is detected for a running one, an ended one and an invalid PID", () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    expect([process.pid, 1, pid, NaN].map(isRunning)).toEqual([true, true, false, false]);
    expect(processStatus(process.pid)).toMatchObject({ isZombie: false });
  });
});

it.each([
  [[], "interrupted: finished steps are kept, run it again to continue\n"],
  [["what to do"], "what to do\n"],
])("a user who interrupts the work of a lock reads how to continue: %j", (messages, printed) => {
  const module = JSON.stringify(join(process.cwd(), "host/file-lock.mjs"));
  const work = `() => { process.kill(process.pid, "SIGINT"); return new Promise((end) => setTimeout(end, 60_000)); }`;
  const args = [
    JSON.stringify(lock()),
    "() => undefined",
    work,
    ...messages.map((text) => JSON.stringify(text)),
  ];
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "-e", `import { withLock } from ${module}; await withLock(${args.join()});`],
    { encoding: "utf8" },
  );
  expect([status, stderr, existsSync(lock())]).toEqual([130, printed, false]);
});
