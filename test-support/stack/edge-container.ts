import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { caddyfile, edgeOpenFiles } from "../../components/resources/edge-config/caddyfile.ts";
import { docker } from "../../engine/docker-cli.ts";

/** An edge with a stack's configuration and limits, in front of a program that simulates gateways. */
export interface EdgeContainer {
  /** Containers' names. */
  readonly edge: string;
  readonly gateways: string;
  /** The published URL of the edge. */
  readonly url: string;
  readonly port: number;
  dispose(): Promise<void>;
}

interface Options {
  /** Prefix of the names of containers and network. */
  readonly name: string;
  readonly mode: "http" | "internal";
  /** File with the program of the gateways, which listens on `ports`. */
  readonly program: string;
  readonly ports: readonly number[];
  /** Seconds. */
  readonly bodyTimeoutSeconds?: number;
}

/** Starts both in a separate network. The edge is published on a free port of 127.0.0.1. */
export async function startEdge(options: Options): Promise<EdgeContainer> {
  const { name, mode, program, ports, bodyTimeoutSeconds = 30 } = options;
  const [edge, gateways] = [`${name}-edge`, `${name}-gateways`];
  const dispose = async (): Promise<void> => {
    await docker(["container", "rm", "--force", "--volumes", gateways, edge]).catch(() => undefined);
    await docker(["network", "rm", name]).catch(() => undefined);
  };
  await dispose();
  const config = caddyfile({
    mode,
    hostnames: mode === "http" ? [] : ["localhost", "127.0.0.1"],
    gateways: ports.map((port) => ({ host: "gateways", port })),
    trustedProxies: [],
    bodyTimeoutSeconds,
    acmeDirectory: "",
    acmeEmail: "",
    acmeRoot: false,
  });
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-edge-"));
  try {
    const source = join(folder, "Caddyfile");
    writeFileSync(source, config);
    await docker(["network", "create", name]);
    const start = async (container: string, file: string, target: string, command: readonly string[]) => {
      await docker(["container", "create", "--name", container, "--network", name, ...command]);
      await docker(["container", "cp", file, `${container}:${target}`]);
      await docker(["container", "start", container]);
    };
    await start(gateways, program, "/gateways.ts", [
      ...["--network-alias", "gateways", image("gatewayBaseImage"), "node", "/gateways.ts"],
    ]);
    const inside = mode === "http" ? 80 : 443;
    const limits = [
      ...["--memory", "256m", "--memory-swap", "256m", "--pids-limit", "128"],
      ...["--ulimit", `nofile=${String(edgeOpenFiles)}:${String(edgeOpenFiles)}`],
    ];
    await start(edge, source, "/Caddyfile", [
      ...[...limits, "--publish", `127.0.0.1::${String(inside)}`, "--env", "XDG_DATA_HOME=/data"],
      ...[image("edgeImage"), "caddy", "run", "--adapter", "caddyfile", "--config", "/Caddyfile"],
    ]);
    const published = (await docker(["container", "port", edge, `${String(inside)}/tcp`])).trim();
    const url = `${mode === "http" ? "http" : "https"}://${published}`;
    return { edge, gateways, url, port: Number(published.split(":").at(-1)), dispose };
  } catch (error) {
    await dispose();
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The default image of a stack. */
function image(key: "edgeImage" | "gatewayBaseImage"): string {
  const read = (file: string) => (parse(readFileSync(file, "utf8")) as { config: object }).config;
  const given = process.env["OLLAMA_STACK_WORLD"] === "built" ? read("Pulumi.local.yaml") : {};
  const all = { ...read("Pulumi.yaml"), ...given } as Record<string, unknown>;
  const own = all[`ollama-stack:${key}`] ?? (all[key] as { default: string }).default;
  return own as string;
}
