import { createHash } from "node:crypto";
import { fetchOutbound, type OutboundResponse } from "../../host/outbound-fetch.ts";
import { credentials, CredentialsError } from "./credentials.ts";

// The part of the registry protocol that resolves tags:
// https://distribution.github.io/distribution/spec/api/ and .../spec/auth/token/

/** A request to the registry failed; the message is for users. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
}

const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

const queryTimeoutMs = 15_000;

/** The current digest of a tag's manifest, "sha256:..."; for a multi-platform image, that of the list. */
export async function tagDigest(registry: string, repository: string, tag: string): Promise<string> {
  return (await readManifest({ registry, repository, reference: tag })).digest;
}

/** A requested manifest. */
interface ManifestRequest {
  /** Host, with its port. */
  readonly registry: string;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
  /**
   * Cancels all requests and the credential helper. By default each request times out after 15 s, and the helper, which may
   * prompt the user, never does.
   */
  readonly signal?: AbortSignal;
}

/** The manifest of a tag or digest: of an image, or a list for several platforms. */
export async function readManifest({
  registry,
  repository,
  reference,
  signal,
}: ManifestRequest): Promise<{ readonly digest: string; readonly body: Buffer }> {
  const url = `${origin(registry)}/v2/${repository}/manifests/${reference}`;
  const what = `${repository}${reference.startsWith("sha256:") ? "@" : ":"}${reference}`;
  let response = await request(registry, url, {}, signal);
  if (response.status === 401) {
    const challenge = response.headers.get("www-authenticate") ?? "";
    response = await request(
      registry,
      url,
      { authorization: await authorize(registry, challenge, signal) },
      signal,
    );
  }
  const { status, headers, body } = response;
  if (status === 404) throw new RegistryError(`${registry} does not have ${what}`);
  if (status === 401 || status === 403)
    throw new RegistryError(
      `${registry} denies access to ${what}, or does not have it; log in with: docker login ${registry}`,
    );
  if (status !== 200)
    throw new RegistryError(`${registry} responded with ${String(status)} to a request for ${what}`);
  // Computed instead of trusted, because the engine compares with it.
  const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
  const reported = headers.get("docker-content-digest");
  if (reported !== null && reported !== digest)
    throw new RegistryError(
      `${registry} reports the digest ${reported} for ${what}, but its content has ${digest}`,
    );
  return { digest, body };
}

interface RegistryResponse {
  readonly status: number;
  readonly headers: OutboundResponse["headers"];
  readonly body: Buffer;
}

async function request(
  registry: string,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal = AbortSignal.timeout(queryTimeoutMs),
): Promise<RegistryResponse> {
  try {
    const response = await fetchOutbound(url, { headers: { accept: manifestTypes, ...headers }, signal });
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: response.headers, body };
  } catch (error) {
    if (signal.aborted) throw new RegistryError(`${registry} does not respond in time`);
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new RegistryError(
      `${registry} cannot be reached (${cause instanceof Error ? cause.message : String(cause)})`,
    );
  }
}

/** Responds to a challenge with the credentials themselves, or with a token from another server. */
async function authorize(registry: string, challenge: string, signal?: AbortSignal): Promise<string> {
  const basic = await credentials(registry, signal).catch((error: unknown) => {
    if (!(error instanceof CredentialsError)) throw error;
    throw new RegistryError(`${registry} requires a login, but ${error.message}`);
  });
  if (/^basic/i.test(challenge)) return basic ?? "";
  const { realm, ...parameters } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
  );
  if (realm === undefined || !URL.canParse(realm))
    throw new RegistryError(`${registry} requires an unknown kind of login: ${challenge || "none"}`);
  const url = new URL(realm);
  for (const name of ["service", "scope"] as const) {
    const value = parameters[name];
    if (value !== undefined) url.searchParams.set(name, value);
  }
  const { status, body } = await request(
    url.host,
    url.href,
    basic === undefined ? {} : { authorization: basic },
    signal,
  );
  const token = status === 200 ? tokenIn(body) : undefined;
  if (token === undefined)
    throw new RegistryError(
      `${url.host} returned no token for ${registry}: it responded with ${String(status)}`,
    );
  return `Bearer ${token}`;
}

function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token } = JSON.parse(body.toString("utf8")) as Record<string, string | undefined>;
    return token ?? access_token;
  } catch {
    return undefined;
  }
}

/** Uses plain HTTP for this host only, like Docker. */
function origin(registry: string): string {
  const host = registry.replace(/:\d+$/, "");
  return host === "localhost" || host.startsWith("127.") ? `http://${registry}` : `https://${registry}`;
}
