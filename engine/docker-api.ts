import { bridgeAddress, type Network } from "./bridge-address.ts";
import { queryEngine, EngineError } from "./docker-cli.ts";

// An import statement would load fetch too, which takes 40 ms.
const { request } = process.getBuiltinModule("node:http");

/** The engine's API as far as the set-up needs it. Over a socket, it starts no process. */
export interface DockerApi {
  ping(): Promise<void>;
  /** The engine's components and their versions. */
  components(): Promise<readonly EngineComponent[]>;
  image(reference: string): Promise<{ readonly Id: string } | undefined>;
  container(name: string): Promise<Container | undefined>;
  /** The host's address on the default bridge, which containers know as host-gateway. */
  bridgeGateway(): Promise<string | undefined>;
}

export interface EngineComponent {
  readonly Name: string;
  readonly Version: string;
}

export interface Container {
  readonly Config: { readonly Image: string };
  readonly State: { readonly Running: boolean };
}

/**
 * A client that uses the engine's socket.
 *
 * @param withinMs timeout of each request
 */
export function dockerApi(socket: string, withinMs = 10_000): DockerApi {
  const text = (path: string) => get(socket, path, withinMs);
  const json = async (path: string) => JSON.parse(await text(path)) as unknown;
  const orUndefined = async (path: string): Promise<unknown> => {
    try {
      return await json(path);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  };
  return {
    ping: async () => {
      await text("/_ping");
    },
    components: async () =>
      ((await json("/version")) as { Components?: EngineComponent[] | null }).Components ?? [],
    image: async (reference) =>
      (await orUndefined(`/images/${reference}/json`)) as { Id: string } | undefined,
    container: async (name) => (await orUndefined(`/containers/${name}/json`)) as Container | undefined,
    bridgeGateway: async () => bridgeAddress((await orUndefined("/networks/bridge")) as Network | undefined),
  };
}

/** A client that uses Docker's CLI, for an engine without a local socket. */
export function dockerClientApi(): DockerApi {
  const inspect = async (kind: string, name: string): Promise<unknown> => {
    try {
      const [found] = JSON.parse(await queryEngine([kind, "inspect", name])) as unknown[];
      return found;
    } catch (error) {
      if (error instanceof EngineError && /no such|not found/i.test(error.message)) return undefined;
      throw error;
    }
  };
  return {
    ping: async () => {
      await queryEngine(["version", "--format", "{{.Server.Version}}"]);
    },
    components: async () => {
      const text = await queryEngine(["version", "--format", "{{json .Server.Components}}"]);
      return (JSON.parse(text) as EngineComponent[] | null) ?? [];
    },
    image: async (reference) => (await inspect("image", reference)) as { Id: string } | undefined,
    container: async (name) => (await inspect("container", name)) as Container | undefined,
    bridgeGateway: async () => bridgeAddress((await inspect("network", "bridge")) as Network | undefined),
  };
}

class NotFound extends Error {
  override readonly name = "NotFound";
}

/** The engine accepts connections but does not respond. */
export class EngineHangs extends Error {
  override readonly name = "EngineHangs";
}

function get(socketPath: string, path: string, withinMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: withinMs }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => {
        const status = response.statusCode ?? 0;
        if (status === 404) reject(new NotFound(path));
        else if (status >= 400)
          reject(new Error(`the Docker engine responded with ${status} to ${path}: ${body.trim()}`));
        else resolve(body);
      });
    });
    call.on("timeout", () => {
      call.destroy(
        new EngineHangs(
          `the Docker engine at ${socketPath} accepts connections but does not respond within ${withinMs / 1000} s: restart it (sudo systemctl restart docker)`,
        ),
      );
    });
    call.on("error", reject);
    call.end();
  });
}
