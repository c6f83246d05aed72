import { spawn } from "node:child_process";

/** Starts processes that each keep a core busy, until the returned function is called or this process exits. */
export function keepBusy(count: number): () => void {
  const children = Array.from({ length: count }, () =>
    // The end of its input means that its parent has exited.
    spawn(process.execPath, ["--eval", "process.stdin.on('end', () => process.exit()).resume();" + BUSY], {
      stdio: ["pipe", "ignore", "ignore"],
    }),
  );
  return () => {
    for (const child of children) child.kill("SIGKILL");
  };
}

// It yields now and then, to notice the end of its input.
const BUSY = "setInterval(() => { const end = Date.now() + 50; while (Date.now() < end); }, 0);";
