// Run by Pulumi after it created the edge, and when its configuration changes: loads the configuration into the edge, which
// applies it without interrupting requests and keeps it for its next start.
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { queryEngine, type ContainerState, EngineTimeout } from "../../engine/docker-cli.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { type ProbeResult, setExitCode, NotReady, waitUntilReady } from "./lib/readiness.ts";

const container = requiredVariable("CONTAINER_NAME");
const config = requiredVariable("EDGE_CONFIG");
const url = optionalVariable("READY_URL");
const serverName = optionalVariable("EDGE_NAME");

let loaded = false;
await setExitCode(() =>
  waitUntilReady(
    {
      container,
      timeoutSeconds: Number(requiredVariable("READY_TIMEOUT_SECONDS")),
      pids: requiredVariable("PIDS_LIMIT"),
    },
    async (state) => {
      loaded ||= await load(state);
      if (!loaded) return { ready: false, detail: "its admin endpoint does not respond yet" };
      return url === undefined ? { ready: true, detail: "" } : await probe(new URL(url));
    },
  ),
);

/** Returns false while the edge is starting. @throws NotReady if the configuration is invalid, which a retry cannot fix */
async function load(state: ContainerState | undefined): Promise<boolean> {
  if (state?.status !== "running") return false;
  const args = ["exec", "--interactive", container, "caddy", "reload", "--force", "--adapter", "caddyfile"];
  try {
    await queryEngine([...args, "--config", "-"], { merge: true, input: config });
    return true;
  } catch (error) {
    if (error instanceof EngineTimeout) return false;
    const message = error instanceof Error ? error.message : String(error);
    if (/connection refused|is not running|No such container/i.test(message)) return false;
    const lines = message.split("\n").filter((line) => /error/i.test(line));
    console.error(`The edge ${container} rejected its configuration: ${lines.join("\n") || message}`);
    throw new NotReady();
  }
}

/** Whether the edge accepts connections at its published port, and with TLS has a certificate for its name. */
function probe({ hostname, port, host }: URL): Promise<ProbeResult> {
  const target = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? 80 : port) };
  return new Promise((resolve) => {
    // Does not verify the certificate, whose authority may be the edge's own. SNI does not allow addresses.
    const servername = serverName === undefined || isIP(serverName) !== 0 ? "" : serverName;
    const tls = serverName !== undefined;
    const socket = tls
      ? connectTls({ ...target, servername, rejectUnauthorized: false })
      : connectTcp(target);
    const end = (ready: boolean, detail: string) => {
      socket.destroy();
      resolve({ ready, detail: `${host} ${detail}` });
    };
    socket.setTimeout(5_000, () => {
      end(false, "does not respond");
    });
    socket.once(tls ? "secureConnect" : "connect", () => {
      end(true, "responds");
    });
    socket.once("error", (error: Error) => {
      end(
        false,
        tls
          ? `has no certificate for ${serverName} yet (${error.message})`
          : `does not respond (${error.message})`,
      );
    });
  });
}
