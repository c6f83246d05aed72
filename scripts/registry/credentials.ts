import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Credentials from `docker login` cannot be read; the message is for users and quotes nothing secret. */
export class CredentialsError extends Error {
  override readonly name = "CredentialsError";
}

const dockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().nullish() }).nullish()).nullish(),
  credsStore: z.string().nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
});
const helperOutput = z.object({ Username: z.string(), Secret: z.string() });

/**
 * The credentials from `docker login` for a registry, as a header's value; undefined if there are none. A credential helper
 * may prompt the user, so there is no timeout except `signal`. @throws CredentialsError if they cannot be read
 */
export async function credentials(registry: string, signal?: AbortSignal): Promise<string | undefined> {
  const { auths, credsStore, credHelpers } = readConfig();
  // Docker Hub has a special name there.
  const names =
    registry === "registry-1.docker.io" ? ["https://index.docker.io/v1/", "docker.io"] : [registry];
  for (const name of names) {
    const helper = credHelpers?.[name] ?? credsStore ?? undefined;
    if (helper !== undefined) {
      const found = await runCredentialHelper(`docker-credential-${helper}`, name, signal);
      if (found !== undefined) return found;
    }
    const auth = auths?.[name]?.auth ?? "";
    if (auth !== "") return `Basic ${auth}`;
  }
  return undefined;
}

function readConfig(): z.output<typeof dockerConfig> {
  const file = join(process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"), "config.json");
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return {};
    throw new CredentialsError(`${file} cannot be read (${message.replace(/,.*/s, "")})`);
  }
  const { data } = dockerConfig.safeParse(parsed(text));
  if (data !== undefined) return data;
  throw new CredentialsError(`${file} is not a valid Docker client config: fix or remove it`);
}

/** A helper reads the registry's name from its input and prints user and secret. */
function runCredentialHelper(
  command: string,
  registry: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, ["get"], { stdio: ["pipe", "pipe", "ignore"] });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    // Not spawn's own signal, which has no effect once the helper has exited, although its child processes may keep the
    // output, and so this process, open.
    const abandon = () => {
      child.kill();
      child.stdout.destroy();
      child.unref();
      reject(new CredentialsError(`${command} does not respond in time`));
    };
    if (signal?.aborted === true) abandon();
    signal?.addEventListener("abort", abandon, { once: true });
    child.once("error", () => {
      resolve(undefined);
    });
    child.once("close", (code) => {
      signal?.removeEventListener("abort", abandon);
      const { data } = helperOutput.safeParse(parsed(stdout));
      if (code !== 0) resolve(undefined);
      else if (data === undefined)
        reject(new CredentialsError(`${command} did not print JSON with Username and Secret`));
      else resolve(`Basic ${Buffer.from(`${data.Username}:${data.Secret}`).toString("base64")}`);
    });
    // It may exit before it has read its input.
    child.stdin.on("error", () => undefined).end(registry);
  });
}

/** Parses JSON without quoting it in errors, as JSON.parse does. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
