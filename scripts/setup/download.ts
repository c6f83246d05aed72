import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { formatBytes } from "../../engine/format-bytes.ts";
import { SetupError } from "../../host/exec.ts";
import { connectionFailure, fetchOutbound, type OutboundResponse } from "../../host/outbound-fetch.ts";
import type { Report } from "../../host/progress.ts";
import { findProxies, withoutCredentials } from "../../host/proxy.ts";
import type { ReleaseAsset } from "./release-assets.ts";

// Timeout for sites that neither send data nor close the connection.
const silentMs = 30_000;
const reportEveryMs = 1_000;

/** Digests of what was downloaded, in hexadecimal. */
export interface Digests {
  readonly sha1: string;
  readonly sha256: string;
}

/** Downloads a file from the first source that has it and returns its digests. Replaces an existing file. */
export async function download(
  { file, urls }: ReleaseAsset,
  target: string,
  report: Report,
): Promise<Digests> {
  const failures: string[] = [];
  for (const url of urls) {
    try {
      return await downloadFrom(url, target, report);
    } catch (error) {
      failures.push(`${new URL(url).host}: ${connectionFailure(error)}`);
      report(failures.at(-1) ?? "");
    }
  }
  throw new SetupError(`${file} cannot be downloaded (${failures.join("; ")}): ${wayOut()}`);
}

/** The text of a small file; undefined if no source has it. */
export async function downloadText({ urls }: ReleaseAsset): Promise<string | undefined> {
  for (const url of urls) {
    try {
      const response = await fetchOutbound(url, { signal: AbortSignal.timeout(silentMs) });
      if (response.ok) return await response.text();
    } catch {
      // The next source may have it.
    }
  }
  return undefined;
}

async function downloadFrom(url: string, target: string, report: Report): Promise<Digests> {
  const stall = new AbortController();
  let timer = setTimeout(giveUp, silentMs);
  function giveUp(): void {
    stall.abort(new Error(`nothing came for ${String(silentMs / 1000)} s`));
  }
  try {
    const response = await fetchOutbound(url, { signal: stall.signal });
    if (!response.ok) throw new Error(`status ${String(response.status)}`);
    return await save(response, target, report, () => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, silentMs);
    });
  } finally {
    clearTimeout(timer);
  }
}

async function save(
  response: OutboundResponse,
  target: string,
  report: Report,
  alive: () => void,
): Promise<Digests> {
  const total = Number(response.headers.get("content-length") ?? 0);
  const [sha1, sha256] = [createHash("sha1"), createHash("sha256")];
  const started = performance.now();
  let reported = started;
  let received = 0;
  const file = await open(target, "w");
  try {
    for await (const piece of response.body ?? []) {
      alive();
      sha1.update(piece);
      sha256.update(piece);
      await file.write(piece);
      received += piece.length;
      const now = performance.now();
      if (now - reported < reportEveryMs) continue;
      reported = now;
      const rate = formatBytes(Math.round((received / (now - started)) * 1000));
      report(`${formatBytes(received)}${total > 0 ? ` of ${formatBytes(total)}` : ""}, ${rate}/s`);
    }
  } finally {
    await file.close();
  }
  if (total > 0 && received !== total)
    throw new Error(`it ended after ${String(received)} of ${String(total)} bytes`);
  return { sha1: sha1.digest("hex"), sha256: sha256.digest("hex") };
}

function wayOut(): string {
  const proxies = findProxies();
  if (proxies === undefined) return "connect, or set HTTPS_PROXY if there is a proxy, and run it again";
  return `check that the proxy ${withoutCredentials(proxies.https || proxies.http)} lets these hosts through, and run it again`;
}
