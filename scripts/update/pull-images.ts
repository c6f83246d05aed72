import { EngineError } from "../../engine/docker-cli.ts";
import { imageId } from "../../engine/image-id.ts";
import { type ImagePull, pullImage } from "../../engine/image-pull.ts";
import { SetupError } from "../../host/exec.ts";
import { step } from "../../host/progress.ts";
import { credentials, CredentialsError } from "../registry/credentials.ts";
import { parseReference } from "../registry/image-reference.ts";
import { pullFailure } from "../registry/pull-failure.ts";
import { imageKeys, type Settings } from "../stack/settings.ts";

// A credential helper may prompt the user.
const accountMs = 60_000;

/**
 * Pulls a stack's missing images before an update changes anything, with progress and without a timeout. An engine without a
 * local socket pulls them during the update.
 *
 * @param env the CLI's environment, which contains the engine of the selected Docker context
 * @param check throws if the update cannot succeed, before anything is pulled
 */
export async function pullImages(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  check: () => Promise<unknown>,
): Promise<void> {
  const socket = engineSocket([process.env["DOCKER_HOST"], env["DOCKER_HOST"]].find(Boolean) ?? "");
  if (socket === undefined) return;
  const platform = settings("imagePlatform");
  let isChecked = false;
  for (const key of imageKeys(settings)) {
    const image = String(settings(key));
    if (await isThere(image)) continue;
    if (!isChecked) await check();
    isChecked = true;
    try {
      const pull = await pullOf(image, typeof platform === "string" ? platform : "");
      await step(`Image ${image}`, 60, (report) => pullImage(socket, pull, report));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      throw new SetupError(
        pullFailure(key, image, error.message.replace(/^Error response from daemon: /, "")),
      );
    }
  }
}

/** The path of the engine's local socket; undefined if it has none. Exported for its test. */
export function engineSocket(host: string, platform: string = process.platform): string | undefined {
  if (host === "") return platform === "win32" ? undefined : "/var/run/docker.sock";
  return host.startsWith("unix://") ? host.slice("unix://".length) : undefined;
}

/** Whether the engine has an image, or cannot tell: the program reports other problems, such as an invalid name, better. */
async function isThere(image: string): Promise<boolean> {
  try {
    return (await imageId(image)) !== undefined;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return true;
  }
}

async function pullOf(image: string, platform: string): Promise<ImagePull> {
  const { name, tag, digest, registry } = parseReference(image);
  return { name, reference: digest ?? tag, platform, account: await accountFor(registry) };
}

/** Credentials from `docker login`, if the registry needs any. */
async function accountFor(registry: string): Promise<ImagePull["account"]> {
  const header = await credentials(registry, AbortSignal.timeout(accountMs)).catch((error: unknown) => {
    if (error instanceof CredentialsError) return undefined;
    throw error;
  });
  if (header === undefined) return undefined;
  const [username = "", ...password] = Buffer.from(header.replace(/^Basic /, ""), "base64")
    .toString("utf8")
    .split(":");
  return { username, password: password.join(":") };
}
