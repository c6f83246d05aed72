import { createHash } from "node:crypto";
import { credentials } from "./credentials.ts";

// The part of the registry protocol that tells a tag's digest:
// https://distribution.github.io/distribution/spec/api/ and .../spec/auth/token/

/** The registry cannot say what was asked; the message is for users. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const answersWithinMs = 15_000;

/** The digest of the manifest that a tag names now, "sha256:...". For an image of several platforms it is the list's. */
export async function tagDigest(registry: string, repository: string, tag: string): Promise<string> {
  const url = `${origin(registry)}/v2/${repository}/manifests/${tag}`;
  const what = `${repository}:${tag}`;
  let response = await ask(registry, url, {});
  if (response.status === 401) {
    const authorization = await authorize(registry, response.headers.get("www-authenticate") ?? "");
    response = await ask(registry, url, { authorization });
  }
  if (response.status === 404) throw new RegistryError(`${registry} does not have ${what}`);
  if (response.status === 401 || response.status === 403)
    throw new RegistryError(
      `${registry} does not let you see ${what}, or does not have it; log in with: docker login ${registry}`,
    );
  if (!response.ok)
    throw new RegistryError(`${registry} answers ${String(response.status)} when asked for ${what}`);
  // Computed, and not believed: it is what the engine will compare with.
  const digest = `sha256:${createHash("sha256")
    .update(Buffer.from(await response.arrayBuffer()))
    .digest("hex")}`;
  const told = response.headers.get("docker-content-digest");
  if (told !== null && told !== digest)
    throw new RegistryError(
      `${registry} says that ${what} has the digest ${told}, but what it sends has ${digest}`,
    );
  return digest;
}

async function ask(registry: string, url: string, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, {
      headers: { accept: manifestTypes, ...headers },
      signal: AbortSignal.timeout(answersWithinMs),
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new RegistryError(
      `${registry} cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`,
    );
  }
}

/** What a challenge asks for: the account itself, or a token that another server gives for it. */
async function authorize(registry: string, challenge: string): Promise<string> {
  const basic = await credentials(registry);
  if (/^basic/i.test(challenge)) return basic ?? "";
  const { realm, ...parameters } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
  );
  if (realm === undefined || !URL.canParse(realm))
    throw new RegistryError(`${registry} asks for a login of an unknown kind: ${challenge || "none"}`);
  const url = new URL(realm);
  for (const name of ["service", "scope"] as const) {
    const value = parameters[name];
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const response = await ask(url.host, url.href, basic === undefined ? {} : { authorization: basic });
  const body = response.ok ? ((await response.json()) as { token?: string; access_token?: string }) : {};
  const token = body.token ?? body.access_token;
  if (token === undefined)
    throw new RegistryError(
      `${url.host} gives no token for ${registry}: it answers ${String(response.status)}`,
    );
  return `Bearer ${token}`;
}

/** Plain HTTP on this host only, as Docker has it. */
function origin(registry: string): string {
  const host = registry.replace(/:\d+$/, "");
  return host === "localhost" || host.startsWith("127.") ? `http://${registry}` : `https://${registry}`;
}
