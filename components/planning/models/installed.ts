import { type InstalledModel, parseModelList } from "../../config/models/installed-models.ts";
import { askHttp } from "./http.ts";

// A server that runs on the same host, or near it, and has nothing to work out.
const answerMs = 1_000;

/** What a running server has, by name; undefined when none answers there, as before the first update. */
export async function installedModels(
  serverUrl: string,
): Promise<ReadonlyMap<string, InstalledModel> | undefined> {
  try {
    const { text } = await askHttp(`${serverUrl}/api/tags`, { withinMs: answerMs });
    return new Map(parseModelList(JSON.parse(text)).map((model) => [model.name, model]));
  } catch {
    return undefined;
  }
}

/** Which of some layers ("sha256:...") a running server has already, whatever model they belong to. */
export async function presentLayers(
  serverUrl: string,
  digests: Iterable<string>,
): Promise<ReadonlySet<string>> {
  const present = new Set<string>();
  await Promise.all(
    [...digests].map(async (digest) => {
      try {
        const url = `${serverUrl}/api/blobs/${digest}`;
        const { status } = await askHttp(url, { method: "HEAD", withinMs: answerMs });
        if (status === 200) present.add(digest);
      } catch {
        // As good as not there: it will be found when it is pulled.
      }
    }),
  );
  return present;
}
