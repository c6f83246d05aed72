import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { DockerApi } from "../engine/docker-api.ts";
import { installNode } from "../scripts/node/install.mjs";
import type { Report } from "../host/progress.ts";
import { runTool } from "../host/exec.ts";
import { artefactPath, keyOf } from "./cache.ts";
import { localImages } from "../engine/names.ts";
import { modelFolder, modelKey } from "./model.ts";
import { partBinary, partKey, parts, versions } from "./binaries.ts";
import { makeRootfs, recipe } from "./rootfs.ts";

/** A local image, which is never pulled or pushed. */
export interface LocalImage {
  /** The tag that a stack's config uses. */
  readonly tag: string;
  /** A tag with a hash of the image's inputs: if it exists, it is current. */
  readonly keyedTag: string;
  readonly dockerfile: string;
  readonly fill: (rootfs: string) => Promise<void>;
}

const nodeLock = join(import.meta.dirname, "..", "scripts", "node", "package-lock.json");

function image(
  name: string,
  version: string,
  inputs: readonly string[],
  fill: (rootfs: string) => Promise<void>,
): LocalImage {
  const dockerfile = join(import.meta.dirname, "images", name, "Dockerfile");
  const key = keyOf([recipe, readFileSync(dockerfile), ...inputs]);
  const tag = `${localImages}${name}:${version}`;
  return { tag, keyedTag: `${tag}-${key}`, dockerfile, fill };
}

export const ollamaImage = (): LocalImage =>
  image("ollama", versions.ollama, [partKey(parts.ollama)], (rootfs) =>
    makeRootfs(rootfs, { binary: partBinary(parts.ollama), destination: "/bin/ollama", user: "ubuntu" }),
  );

export const nodeImage = (): LocalImage =>
  image("node", versions.node, [readFileSync(nodeLock, "utf8")], (rootfs) =>
    makeRootfs(rootfs, { binary: installNode(), destination: "/usr/local/bin/node", user: "node" }),
  );

/** The model registry: a static program and its models, without libraries or users. */
export const registryImage = (): LocalImage =>
  image("registry", "1", [partKey(parts.registry), modelKey()], (rootfs) => {
    mkdirSync(join(rootfs, "bin"));
    copyFileSync(partBinary(parts.registry), join(rootfs, "bin", "registry"));
    cpSync(join(modelFolder(), "models"), join(rootfs, "models"), { recursive: true });
    return Promise.resolve();
  });

/** The edge, also a static program. */
export const caddyImage = (): LocalImage =>
  image("caddy", versions.caddy, [partKey(parts.caddy)], (rootfs) => {
    mkdirSync(join(rootfs, "usr", "bin"), { recursive: true });
    copyFileSync(partBinary(parts.caddy), join(rootfs, "usr", "bin", "caddy"));
    return Promise.resolve();
  });

/** Prometheus with promtool, which are static programs. */
export const prometheusImage = (): LocalImage =>
  image("prometheus", versions.prometheus, [partKey(parts.prometheus), partKey(parts.promtool)], (rootfs) => {
    mkdirSync(join(rootfs, "bin"), { recursive: true });
    mkdirSync(join(rootfs, "prometheus"));
    for (const part of [parts.prometheus, parts.promtool])
      copyFileSync(partBinary(part), join(rootfs, "bin", part.name));
    return Promise.resolve();
  });

/** All local images. The set-up builds those that are missing. */
export const allImages = (): readonly LocalImage[] => [
  ollamaImage(),
  nodeImage(),
  registryImage(),
  caddyImage(),
  prometheusImage(),
];

/** Whether both tags exist and refer to the same image. */
export async function isImageCurrent(api: DockerApi, { tag, keyedTag }: LocalImage): Promise<boolean> {
  const [stable, keyed] = await Promise.all([api.image(tag), api.image(keyedTag)]);
  return keyed !== undefined && stable?.Id === keyed.Id;
}

export async function buildImage(api: DockerApi, local: LocalImage, report: Report): Promise<void> {
  if ((await api.image(local.keyedTag)) === undefined) {
    const context = artefactPath("image", `${basename(local.tag)}.partial-${process.pid}`);
    rmSync(context, { recursive: true, force: true });
    mkdirSync(join(context, "rootfs"), { recursive: true });
    try {
      await local.fill(join(context, "rootfs"));
      copyFileSync(local.dockerfile, join(context, "Dockerfile"));
      // The classic builder, because Debian's engine has no buildx.
      await runTool("docker", ["build", "--network", "none", "--tag", local.keyedTag, context], {
        what: `build image ${local.tag}`,
        env: { DOCKER_BUILDKIT: "0" },
        report,
      });
    } finally {
      rmSync(context, { recursive: true, force: true });
    }
  }
  await runTool("docker", ["tag", local.keyedTag, local.tag], { what: `tag ${local.tag}`, report });
}
