import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { backendUrl } from "./backend-url.ts";

// Pulumi's state and the passphrase of its secrets: without an account, and outside the checkout, so that a second clone, or
// one cleaned with git, still has them.

/** The folder of this project's state, readable by its owner only. */
export function stateFolder(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_STATE_HOME"] ?? join(homedir(), ".local", "state");
  return environment["OLLAMA_STACK_STATE"] ?? join(base, "ollama-stack");
}

/**
 * The variables with which Pulumi finds state and secrets. Your own backend, login or passphrase takes precedence; the
 * others are created on first use.
 */
export function stateEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const result: Record<string, string> = {};
  const folder = stateFolder(environment);
  if (chosenBackend(environment) === undefined) {
    const backend = join(folder, "backend");
    mkdirSync(backend, { recursive: true, mode: 0o700 });
    // Disables attribute files, which the CLI does not write atomically (backend-files.ts) and nothing reads.
    result["PULUMI_BACKEND_URL"] = `${backendUrl(backend)}?metadata=skip`;
  }
  // An empty passphrase is a choice too.
  if (
    environment["PULUMI_CONFIG_PASSPHRASE"] === undefined &&
    !environment["PULUMI_CONFIG_PASSPHRASE_FILE"]
  ) {
    result["PULUMI_CONFIG_PASSPHRASE_FILE"] = passphraseFile(folder);
  }
  return result;
}

/** The CLI's backend from the environment or the login; `https://` if an access token selects Pulumi Cloud. */
export function chosenBackend(environment: NodeJS.ProcessEnv): string | undefined {
  return (
    [environment["PULUMI_BACKEND_URL"], currentLogin(environment)].find(Boolean) ??
    (environment["PULUMI_ACCESS_TOKEN"] ? "https://" : undefined)
  );
}

function currentLogin(environment: NodeJS.ProcessEnv): string | undefined {
  try {
    const pulumiHome = environment["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
    const folder = environment["PULUMI_CREDENTIALS_PATH"] ?? pulumiHome;
    const { current } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8")) as {
      current?: string;
    };
    return current;
  } catch {
    return undefined;
  }
}

function passphraseFile(folder: string): string {
  const path = join(folder, "passphrase");
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      writeFileSync(path, randomBytes(32).toString("base64url"), { mode: 0o600, flag: "wx" });
    } catch (error) {
      // Another run created it in the meantime.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
  return path;
}
