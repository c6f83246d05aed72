import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { queryEngine } from "../../engine/docker-cli.ts";
import type { StackOutputs } from "../stack/outputs.ts";

/** Where the edge keeps the root certificate of its own authority, in its container. */
export const authorityPath = "/data/caddy/pki/authorities/local/root.crt";

/** The root certificate that clients of a stack have to trust, as PEM; undefined when its edge has no authority of its own. */
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

/** From here on this process trusts the authority of the stack's edge, beside those that it trusts anyway. */
export async function trustEdge(outputs: Pick<StackOutputs, "edge">): Promise<void> {
  const authority = await edgeAuthority(outputs);
  if (authority !== undefined) setDefaultCACertificates([...getCACertificates("default"), authority]);
}
