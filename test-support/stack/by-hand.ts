import { execFileSync } from "node:child_process";
import { request } from "node:http";

// Manual changes of containers, through the engine's API.

/** The part of a container's creation request that tests change. */
export interface Creation {
  Env: string[];
  Cmd: string[];
  User: string;
  Labels: Record<string, string>;
  HostConfig: {
    Binds: string[] | null;
    CapAdd: string[] | null;
    CpuShares: number;
    ReadonlyRootfs: boolean;
    PortBindings: Record<string, { HostIp: string; HostPort: string }[]>;
  };
}

export function docker(...args: string[]): string {
  return execFileSync("docker", args, { encoding: "utf8" }).trim();
}

export function inspect(name: string, format: string): unknown {
  return JSON.parse(docker("container", "inspect", "--format", `{{json ${format}}}`, name));
}

/** Removes a container and creates it again with a change, under the same name. */
export async function recreate(name: string, change: (creation: Creation) => void): Promise<void> {
  const [before] = JSON.parse(docker("container", "inspect", name)) as {
    Config: Creation;
    HostConfig: Creation["HostConfig"];
    NetworkSettings: { Networks: Record<string, { Aliases: string[] }> };
  }[];
  if (before === undefined) throw new Error(`no container ${name}`);
  const EndpointsConfig = Object.fromEntries(
    Object.entries(before.NetworkSettings.Networks).map(([network, { Aliases }]) => [
      network,
      { Aliases: Aliases.filter((alias) => !/^[0-9a-f]{12}$/.test(alias)) },
    ]),
  );
  const HostConfig = { ...before.HostConfig, NetworkMode: Object.keys(EndpointsConfig)[0] };
  const creation = { ...before.Config, Hostname: "", HostConfig, NetworkingConfig: { EndpointsConfig } };
  change(creation);
  docker("container", "rm", "--force", name);
  const { Id } = JSON.parse(await post(`/containers/create?name=${name}`, creation)) as { Id: string };
  await post(`/containers/${Id}/start`, {});
}

function post(path: string, body: unknown): Promise<string> {
  const socketPath = (process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock").replace("unix://", "");
  return new Promise((resolve, reject) => {
    const call = request({
      socketPath,
      path,
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    call.once("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.once("end", () => {
        if ((response.statusCode ?? 500) < 400) resolve(text);
        else reject(new Error(`${path}: ${text}`));
      });
    });
    call.once("error", reject);
    call.end(JSON.stringify(body));
  });
}
