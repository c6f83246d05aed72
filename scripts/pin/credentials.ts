import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

interface DockerConfig {
  readonly auths?: Readonly<Record<string, { readonly auth?: string }>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/** The account that `docker login` keeps for a registry, as a header's value; undefined without one. */
export async function credentials(registry: string): Promise<string | undefined> {
  const { auths = {}, credsStore, credHelpers = {} } = readConfig();
  // Docker Hub has a name of its own there.
  const names =
    registry === "registry-1.docker.io" ? ["https://index.docker.io/v1/", "docker.io"] : [registry];
  for (const name of names) {
    const helper = credHelpers[name] ?? credsStore;
    if (helper !== undefined) {
      const found = await askHelper(`docker-credential-${helper}`, name);
      if (found !== undefined) return found;
    }
    const auth = auths[name]?.auth;
    if (auth !== undefined && auth !== "") return `Basic ${auth}`;
  }
  return undefined;
}

function readConfig(): DockerConfig {
  const folder = process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker");
  try {
    return JSON.parse(readFileSync(join(folder, "config.json"), "utf8")) as DockerConfig;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

/** A helper takes the registry's name on its input and answers with user and secret. */
function askHelper(command: string, registry: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(command, ["get"], { stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.once("error", () => {
      resolve(undefined);
    });
    child.once("close", (code) => {
      if (code !== 0) {
        resolve(undefined);
        return;
      }
      const { Username, Secret } = JSON.parse(stdout) as { Username: string; Secret: string };
      resolve(`Basic ${Buffer.from(`${Username}:${Secret}`).toString("base64")}`);
    });
    child.stdin.end(registry);
  });
}
