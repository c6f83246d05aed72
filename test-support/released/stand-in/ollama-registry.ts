import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Call, redirect, sendFile, sendJson, sendText } from "./respond.ts";
import { hosts } from "./settings.ts";

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/** registry.ollama.ai: it serves manifests, and redirects to another host for blobs. */
export function modelRegistry(call: Call, models: string): void {
  const { path, request } = call;
  const manifest = /^\/v2\/library\/([^/]+)\/manifests\/([^/]+)$/.exec(path);
  if (manifest !== null) {
    const file = join(models, "manifests", `${manifest[1] ?? ""}:${manifest[2] ?? ""}`);
    if (existsSync(file)) sendFile(call, file, manifestType);
    else sendJson(call, 404, { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] });
    return;
  }
  const digest = /^\/v2\/library\/[^/]+\/blobs\/(sha256:[0-9a-f]+)$/.exec(path)?.[1];
  if (digest === undefined) sendText(call, 404, "");
  else if (request.method === "HEAD") sendFile(call, blob(models, digest));
  else
    redirect(
      call,
      `https://${hosts.modelBlobs}/ollama/docker/registry/v2/blobs/${digest}/data?X-Amz-Signature=test`,
      307,
    );
}

export function modelBlobs(call: Call, models: string): void {
  sendFile(call, blob(models, /\/blobs\/(sha256:[0-9a-f]+)\//.exec(call.path)?.[1] ?? ""));
}

function blob(models: string, digest: string): string {
  return join(models, "blobs", digest.replace(":", "-"));
}
