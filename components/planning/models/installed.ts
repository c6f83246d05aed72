import { type InstalledModel, parseModelList } from "../../config/models/installed-models.ts";
import { httpRequest } from "./http.ts";

// The server is on the same host or nearby and responds immediately.
const timeoutMs = 1_000;

/** A running server's models by name; undefined if none responds, as before the first update. */
export async function installedModels(
  serverUrl: string,
): Promise<ReadonlyMap<string, InstalledModel> | undefined> {
  try {
    const { text } = await httpRequest(`${serverUrl}/api/tags`, { withinMs: timeoutMs });
    return new Map(parseModelList(JSON.parse(text)).map((model) => [model.name, model]));
  } catch {
    return undefined;
  }
}

/** The layers ("sha256:...") that a running server already has, from any model. */
export async function presentLayers(
  serverUrl: string,
  digests: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const present = new Set<string>();
  await Promise.all(
    [...digests].map(async (digest) => {
      try {
        const url = `${serverUrl}/api/blobs/${digest}`;
        const { status } = await httpRequest(url, { method: "HEAD", withinMs: timeoutMs });
        if (status === 200) present.add(digest);
      } catch {
        // Counts as missing; the pull skips it if it exists.
      }
    }),
  );
  return present;
}
