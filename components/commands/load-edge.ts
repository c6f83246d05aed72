// Run by Pulumi after the edge was made, and whenever its configuration changes: hands it over to the edge, which takes
// it without cutting a request and keeps it for its next start.
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import { queryEngine, type ContainerState, EngineTimeout } from "../../engine/docker-cli.ts";
import { optional, required } from "./lib/env.ts";
import { type Answer, exitCodeOf, NotReady, waitUntilReady } from "./lib/readiness.ts";

const container = required("CONTAINER_NAME");
const config = required("EDGE_CONFIG");
const url = optional("READY_URL");
const serverName = optional("EDGE_NAME");

let loaded = false;
await exitCodeOf(() =>
  waitUntilReady(
    { container, timeoutSeconds: Number(required("READY_TIMEOUT_SECONDS")), pids: required("PIDS_LIMIT") },
    async (state) => {
      loaded ||= await load(state);
      if (!loaded) return { ready: false, detail: "its admin endpoint does not respond yet" };
      return url === undefined ? { ready: true, detail: "" } : await ask(new URL(url));
    },
  ),
);

/** False while the edge is starting. A wrong configuration will not get better: it is reported. */
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
    console.error(`The edge ${container} does not take its configuration: ${lines.join("\n") || message}`);
    throw new NotReady();
  }
}

/** Whether it accepts connections where it is published, and with TLS whether it has a certificate for its name. */
function ask({ hostname, port, host }: URL): Promise<Answer> {
  const target = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port === "" ? 80 : port) };
  return new Promise((resolve) => {
    // Who it is, is for clients to check: the authority may be its own. An address is no server name.
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
      end(true, "answers");
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
