/** The stand-in's settings, passed to its process as a JSON file. */
export interface StandInSettings {
  /** Address that DNS, all sites, the proxy and the mirror listen at. */
  readonly address: string;
  /** PEM files of a certificate for every host name. */
  readonly certificate: string;
  readonly key: string;
  /** The same by a company's own authority, for its sites and for what its proxy signs again. */
  readonly company: { readonly certificate: string; readonly key: string };
  /** Whether the proxy inspects TLS; it then gets the authority of the sites. */
  readonly inspectedAuthority: string | undefined;
  /** The requests, a line of JSON each. */
  readonly journal: string;
  /** Read at every request; see Faults. */
  readonly faults: string;
  /** Release archives of Pulumi. */
  readonly releases: string;
  /** Docker Hub: blobs as "sha256-...", and tags.json from "repository:tag" to a manifest's digest. */
  readonly hub: string;
  /** Models as Ollama keeps them: `manifests` by "name:tag", `blobs`. */
  readonly models: string;
}

/** How the network of the world misbehaves. */
export interface Faults {
  /** Names that DNS does not know; "*" for all: then only the proxy finds them. */
  readonly blockedNames?: readonly string[];
  /** Status with which a host refuses everything. */
  readonly failing?: Readonly<Record<string, number>>;
  /** Docker Hub refuses manifests with 429. */
  readonly rateLimited?: boolean;
  /** GitHub has no assets, so that the fallback is used. */
  readonly withoutGithubAssets?: boolean;
  /** Milliseconds before a host responds. */
  readonly delayMs?: Readonly<Record<string, number>>;
  /** Bytes per second of bodies whose path contains the text. */
  readonly slow?: { readonly path: string; readonly bytesPerSecond: number };
  /** Bodies whose path contains the text end in the middle of the transfer after so many bytes. */
  readonly cut?: { readonly path: string; readonly afterBytes: number };
  /** Bodies whose path contains the text have their last byte changed. */
  readonly corrupted?: string;
}

export const proxyPort = 3128;
export const mirrorPort = 5000;

/** The hosts that the released path needs, and nothing else: docs/source-built.md lists them for users. */
export const hosts = {
  pulumi: "get.pulumi.com",
  github: "github.com",
  githubAssets: "release-assets.githubusercontent.com",
  hub: "registry-1.docker.io",
  hubTokens: "auth.docker.io",
  hubBlobs: "production.cloudflare.docker.com",
  models: "registry.ollama.ai",
  modelBlobs: "dd20bb891979d25aebc8bec07b2b3bbc.r2.cloudflarestorage.com",
} as const;

/** Sites of the company whose network it is. They are found by its own DNS, whatever is blocked, and not in the docs. */
export const companyHosts = { telemetry: "telemetry.company.test", acme: "acme.company.test" } as const;

export const companyNames: ReadonlySet<string> = new Set(Object.values(companyHosts));

export const knownNames: ReadonlySet<string> = new Set(Object.values(hosts));
