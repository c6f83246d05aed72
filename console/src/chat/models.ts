import { signal } from "@preact/signals";
import { messageOf, requestJson } from "../api/request.ts";
import { changeSettings, chatSettings } from "./store.ts";

/** A model that the user may chat with. */
interface ChatModel {
  readonly id: string;
  readonly context_length?: number;
  /** What it can do; absent where Ollama does not tell. */
  readonly capabilities?: readonly string[];
}

export const models = signal<readonly ChatModel[] | undefined>(undefined);
export const modelsError = signal<string | undefined>(undefined);

/** Loads the list of models, and chooses one if the last one is gone. */
export async function loadModels(): Promise<void> {
  try {
    const { data } = await requestJson<{ readonly data: readonly ChatModel[] }>("v1/models");
    const usable = data.filter(
      ({ capabilities }) => capabilities === undefined || capabilities.includes("completion"),
    );
    models.value = usable;
    modelsError.value = undefined;
    const [first] = usable;
    const isThere = usable.some(({ id }) => id === chatSettings.value.model);
    if (!isThere && first !== undefined) changeSettings({ model: first.id });
  } catch (error) {
    modelsError.value = messageOf(error);
  }
}

/** What the chosen model can do; undefined where it is not known. */
export function can(capability: "thinking" | "vision"): boolean | undefined {
  const model = models.value?.find(({ id }) => id === chatSettings.value.model);
  return model?.capabilities?.includes(capability);
}
