import { setTimeout as sleep } from "node:timers/promises";
import { printLine } from "../../host/progress.ts";

const secondsToRead = 10;

/** Announces a build, its duration and how to avoid it, and on a terminal waits so that it can be stopped. */
export async function announceBuild(reason: string, seconds = secondsToRead): Promise<void> {
  printLine(`${reason}.`);
  printLine(
    "So this machine builds the same tools, images and a small model from packages, which takes about 15 minutes on two cores.",
  );
  printLine(
    "To use the released ones, stop this, fix the connection (or set HTTPS_PROXY), and run it again with --tools released.",
  );
  if (!process.stdin.isTTY || !process.stderr.isTTY) return;
  printLine(`It begins in ${String(seconds)} s; Ctrl-C stops it.`);
  await sleep(seconds * 1000);
}
