import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { artefact, keyOf } from "../../toolchain/cache.ts";
import { caddyImage, type LocalImage, nodeImage, ollamaImage } from "../../toolchain/images.ts";
import { versions } from "../../toolchain/binaries.ts";

/** What Docker Hub serves for a tag: a manifest list of Docker, or an OCI index with attestations, as buildx pushes it. */
export type ListFormat = "docker" | "oci";

interface Layer {
  readonly digest: string;
  readonly size: number;
  /** Digest of the layer before it is compressed. */
  readonly diffId: string;
}

interface HubImage {
  readonly name: string;
  readonly image: LocalImage;
  readonly format: ListFormat;
  readonly config: Readonly<Record<string, unknown>>;
}

const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const images = (): readonly HubImage[] => [
  {
    name: `ollama/ollama:${versions.ollama}`,
    image: ollamaImage(),
    format: "oci",
    config: {
      Env: [
        path,
        "LD_LIBRARY_PATH=/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        "NVIDIA_VISIBLE_DEVICES=all",
        "OLLAMA_HOST=0.0.0.0:11434",
      ],
      ExposedPorts: { "11434/tcp": {} },
      Entrypoint: ["/bin/ollama"],
      Cmd: ["serve"],
    },
  },
  {
    name: `library/node:${versions.node}-bookworm-slim`,
    image: nodeImage(),
    format: "docker",
    config: {
      Env: [path, `NODE_VERSION=${versions.node}`, "YARN_VERSION=1.22.22"],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["node"],
    },
  },
  {
    name: `library/caddy:${versions.caddy}`,
    image: caddyImage(),
    format: "oci",
    config: {
      Env: [path, `CADDY_VERSION=v${versions.caddy}`, "XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"],
      ExposedPorts: { "80/tcp": {}, "443/tcp": {}, "443/udp": {}, "2019/tcp": {} },
      Cmd: ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
    },
  },
];

/**
 * Fills a folder with images under their real names, in the formats of Docker Hub: blobs, and tags.json.
 *
 * @param authority a file of certificates that Ollama's image trusts
 */
export async function fillHub(folder: string, authority: string): Promise<void> {
  mkdirSync(folder);
  const tags: Record<string, string> = {};
  for (const { name, image, format, config } of images()) {
    const layers = [await linkLayer(folder, image)];
    if (name.startsWith("ollama/")) layers.push(authorityLayer(folder, readFileSync(authority)));
    tags[name] = putList(folder, format, layers, config);
  }
  writeFileSync(join(folder, "tags.json"), JSON.stringify(tags));
}

/** Links the layer with the image's files, which is cached because creating it takes seconds. */
async function linkLayer(folder: string, image: LocalImage): Promise<Layer> {
  const kept = await artefact("hub-layer", keyOf([image.keyedTag]), async (partial) => {
    const rootfs = join(partial, "rootfs");
    mkdirSync(rootfs);
    await image.fill(rootfs);
    const tar = join(partial, "layer.tar");
    execFileSync("tar", ["--numeric-owner", "--owner=0", "--group=0", "-cf", tar, "-C", rootfs, "."]);
    rmSync(rootfs, { recursive: true });
    const content = readFileSync(tar);
    const compressed = gzipSync(content, { level: 1 });
    rmSync(tar);
    writeFileSync(join(partial, "layer.tar.gz"), compressed);
    const layer: Layer = { digest: sha256(compressed), size: compressed.length, diffId: sha256(content) };
    writeFileSync(join(partial, "layer.json"), JSON.stringify(layer));
  });
  const layer = JSON.parse(readFileSync(join(kept, "layer.json"), "utf8")) as Layer;
  symlinkSync(join(kept, "layer.tar.gz"), join(folder, fileOf(layer.digest)));
  return layer;
}

function authorityLayer(folder: string, certificates: Buffer): Layer {
  const stage = join(folder, "authority");
  mkdirSync(join(stage, "etc", "ssl", "certs"), { recursive: true });
  writeFileSync(join(stage, "etc", "ssl", "certs", "ca-certificates.crt"), certificates);
  const tar = execFileSync("tar", ["--owner=0", "--group=0", "-c", "-C", stage, "etc"], {
    maxBuffer: 1 << 24,
  });
  rmSync(stage, { recursive: true });
  return { ...put(folder, gzipSync(tar)), diffId: sha256(tar) };
}

const types = {
  docker: {
    list: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  },
  oci: {
    list: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  },
} as const;

/** Writes a list with the same content for each platform. Returns the list's digest. */
function putList(
  folder: string,
  format: ListFormat,
  layers: readonly Layer[],
  config: Readonly<Record<string, unknown>>,
): string {
  const { list, manifest, config: configType, layer } = types[format];
  const platforms = [
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux", variant: "v8" },
  ];
  const manifests = platforms.flatMap((platform) => {
    const rootfs = { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) };
    const history = layers.map(() => ({ created_by: "made for a test" }));
    const content = { ...platform, config, rootfs, history };
    const own = put(folder, {
      schemaVersion: 2,
      mediaType: manifest,
      config: { mediaType: configType, ...put(folder, content) },
      layers: layers.map(({ digest, size }) => ({ mediaType: layer, digest, size })),
    });
    const entry = { mediaType: manifest, ...own, platform };
    return format === "oci" ? [entry, attestation(folder, own.digest)] : [entry];
  });
  return put(folder, { schemaVersion: 2, mediaType: list, manifests }).digest;
}

/** A provenance attestation as buildx adds it: a manifest of the platform unknown/unknown. */
function attestation(folder: string, subject: string): unknown {
  const { manifest, config } = types.oci;
  const statement = put(folder, { _type: "https://in-toto.io/Statement/v0.1", subject });
  const platform = { architecture: "unknown", os: "unknown" };
  const rootfs = { type: "layers", diff_ids: [statement.digest] };
  const own = put(folder, {
    schemaVersion: 2,
    mediaType: manifest,
    config: { mediaType: config, ...put(folder, { ...platform, config: {}, rootfs }) },
    layers: [
      {
        mediaType: "application/vnd.in-toto+json",
        ...statement,
        annotations: { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" },
      },
    ],
  });
  const annotations = {
    "vnd.docker.reference.digest": subject,
    "vnd.docker.reference.type": "attestation-manifest",
  };
  return { mediaType: manifest, ...own, annotations, platform };
}

function put(folder: string, content: unknown): { digest: string; size: number } {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
  const digest = sha256(bytes);
  writeFileSync(join(folder, fileOf(digest)), bytes);
  return { digest, size: bytes.length };
}

function sha256(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

function fileOf(digest: string): string {
  return basename(digest.replace(":", "-"));
}
