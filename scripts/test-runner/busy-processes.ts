import { spawn } from "node:child_process";

/** Starts processes that each keep a core busy, until what is returned is called or this process ends. */
export function keepBusy(count: number): () => void {
  const children = Array.from({ length: count }, () =>
    // With its input at an end, its parent is gone.
    spawn(process.execPath, ["--eval", "process.stdin.on('end', () => process.exit()).resume();" + BUSY], {
      stdio: ["pipe", "ignore", "ignore"],
    }),
  );
  return () => {
    for (const child of children) child.kill("SIGKILL");
  };
}

// It lets go of the core for a moment now and then, to see the end of its input.
const BUSY = "setInterval(() => { const end = Date.now() + 50; while (Date.now() < end); }, 0);";
