import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { queryEngine } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../stack/outputs.ts";

/** Path of the edge's own root certificate, in its container. */
export const authorityPath = "/data/caddy/pki/authorities/local/root.crt";

/** The root certificate that clients must trust, as PEM; undefined if the edge does not use its own authority. */
export async function edgeAuthority({ edge }: Pick<StackOutputs, "edge">): Promise<string | undefined> {
  if (edge?.mode !== "internal") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-authority-"));
  try {
    const file = join(folder, "root.crt");
    await queryEngine(["container", "cp", `${edge.container}:${authorityPath}`, file]);
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Makes this process also trust the authority of the stack's edge. */
export async function trustEdge(outputs: Pick<StackOutputs, "edge">): Promise<void> {
  const authority = await edgeAuthority(outputs);
  if (authority !== undefined) setDefaultCACertificates([...getCACertificates("default"), authority]);
}
