import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** A file of an image, with its paths on this machine and in the image. */
export interface ImageFile {
  readonly from: string;
  readonly to: string;
}

/** Writes an archive with an image of one program and its libraries. Returns the archive's path. */
export function programImage(
  folder: string,
  reference: string,
  program: string,
  libraries: readonly ImageFile[] = [],
): string {
  const work = join(folder, `image-${basename(program)}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, "blobs", "sha256"), { recursive: true });
  for (const { from, to } of [{ from: program, to: `/bin/${basename(program)}` }, ...libraries]) {
    mkdirSync(dirname(join(work, "root", to)), { recursive: true });
    copyFileSync(from, join(work, "root", to));
  }
  execFileSync("tar", ["-C", join(work, "root"), "-cf", join(work, "layer.tar"), "."]);
  const layer = readFileSync(join(work, "layer.tar"));
  const descriptor = (mediaType: string, content: Buffer) => ({
    mediaType,
    digest: `sha256:${sha256(content)}`,
    size: content.length,
  });
  const blob = (mediaType: string, value: unknown) => {
    const content = Buffer.from(JSON.stringify(value));
    writeFileSync(join(work, "blobs", "sha256", sha256(content)), content);
    return descriptor(mediaType, content);
  };
  const config = blob("application/vnd.oci.image.config.v1+json", {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Entrypoint: [`/bin/${basename(program)}`] },
    rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
  });
  const manifest = blob("application/vnd.oci.image.manifest.v1+json", {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
  });
  renameSync(join(work, "layer.tar"), join(work, "blobs", "sha256", sha256(layer)));
  const annotations = { "io.containerd.image.name": reference };
  writeFileSync(join(work, "oci-layout"), `{"imageLayoutVersion":"1.0.0"}`);
  writeFileSync(
    join(work, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  const archive = `${work}.tar`;
  execFileSync("tar", ["-C", work, "-cf", archive, "oci-layout", "index.json", "blobs"]);
  rmSync(work, { recursive: true });
  return archive;
}
