import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { ClusterError, type Kubectl, notStarted } from "./kubectl.ts";
import { explain } from "./explain.ts";

const startsWithinMs = 30_000;

/** A loopback port of this machine that is forwarded to a port in a cluster. */
export interface PortForward {
  readonly port: number;
  /** Resolves when forwarding ends, with kubectl's last output. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

/**
 * Forwards a port of a Service or a pod. It ends with that pod.
 *
 * @param target such as "service/gateway" or "pod/ollama-0"
 * @param port its number or its name
 * @param localPort a free one unless given
 * @param signal ends it, even while it starts
 * @throws ClusterError
 */
export function forwardPort(
  kubectl: Kubectl,
  target: string,
  port: number | string,
  localPort?: number,
  signal?: AbortSignal,
): Promise<PortForward> {
  signal?.throwIfAborted();

  const args = [
    "port-forward",
    target,
    `${localPort === undefined ? "" : String(localPort)}:${String(port)}`,
    // By default it would continue with [::1] alone if the IPv4 port is in use.
    "--address=127.0.0.1",
  ];
  const child = kubectl.spawn(args);
  let output = "";
  const ended = new Promise<string>((resolve) => {
    child.once("close", () => {
      resolve(output.trim());
    });
  });
  const close = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  // Ends kubectl even if this process is killed.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const terminate = () => child.kill("SIGTERM");
  signal?.addEventListener("abort", terminate, { once: true });
  void ended.then(() => {
    process.off("exit", kill);
    signal?.removeEventListener("abort", terminate);
  });
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      reject(new ClusterError(explain(reason, args, kubectl.address), reason));
    };
    const timer = setTimeout(() => {
      fail("it does not respond in time");
      void close();
    }, startsWithinMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(notStarted(error));
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (output = (output + text).slice(-10_000)));
    if (child.stdout !== null)
      createInterface({ input: child.stdout }).on("line", (line) => {
        const [, local] = /^Forwarding from 127\.0\.0\.1:(\d+)/.exec(line) ?? [];
        if (local === undefined) return;
        clearTimeout(timer);
        resolve({ port: Number(local), ended, close });
      });
    void ended.then((last) => {
      clearTimeout(timer);
      fail(last);
    });
  });
}

/** Runs a function while a port of a cluster is forwarded. */
export async function withForward<T>(
  kubectl: Kubectl,
  target: string,
  port: number | string,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const forward = await forwardPort(kubectl, target, port);
  try {
    return await work(`http://127.0.0.1:${String(forward.port)}`);
  } finally {
    await forward.close();
  }
}

interface KeptForward {
  /** Finds the current target, whenever forwarding starts. The signal cancels the search. */
  readonly target: (signal: AbortSignal) => Promise<string>;
  /** Whether another target replaced one that still runs. */
  readonly isSuperseded?: (target: string) => Promise<boolean>;
  readonly port: number | string;
  /** A free one by default. */
  readonly localPort?: number;
  /** Interval of that check in milliseconds. */
  readonly checkEveryMs?: number;
}

const never = () => Promise.resolve(false);

/**
 * Keeps a port forwarded until a promise settles, switching to new pods when they are replaced or superseded.
 *
 * @param onReady is called once, when the port is open
 * @throws ClusterError when there is no pod to forward to
 */
export async function keepForwarded(
  kubectl: Kubectl,
  { target: find, isSuperseded = never, port, localPort, checkEveryMs = 5000 }: KeptForward,
  until: Promise<unknown>,
  onReady: (localPort: number) => void,
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  const over = until.then(() => {
    controller.abort();
    return undefined;
  });
  const begin = async (at: number | undefined) => {
    const target = await find(signal);
    return { target, forward: await forwardPort(kubectl, target, port, at, signal) };
  };
  let at = localPort;
  for (let isFirst = true; ; isFirst = false) {
    const begun = await Promise.race([over, begin(at)]);
    // The signal also cancelled `begin`.
    if (begun === undefined) return;
    const { target, forward } = begun;
    at = forward.port;
    if (isFirst) onReady(at);
    const ended = Promise.race([over, forward.ended]).then(() => true);
    const check = async () => {
      await sleep(checkEveryMs, undefined, { ref: false });
      // A failed check does not mean that the target is superseded.
      return await isSuperseded(target).catch(() => false);
    };
    while (!(await Promise.race([ended, check()])));
    await forward.close();
    if (signal.aborted) return;
  }
}
