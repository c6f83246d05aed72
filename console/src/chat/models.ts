import { signal } from "@preact/signals";
import { messageOf, requestJson } from "../api/request.ts";
import { changeSettings, chatSettings } from "./store.ts";

/** A model that the user may chat with. */
interface ChatModel {
  readonly id: string;
  readonly context_length?: number;
  /** Undefined if Ollama does not report it. */
  readonly capabilities?: readonly string[];
}

export const models = signal<readonly ChatModel[] | undefined>(undefined);
export const modelsError = signal<string | undefined>(undefined);

/** Loads the list of models, and selects one if the previous one is gone. */
export async function loadModels(): Promise<void> {
  try {
    const { data } = await requestJson<{ readonly data: readonly ChatModel[] }>("v1/models");
    const usable = data.filter(
      ({ capabilities }) => capabilities === undefined || capabilities.includes("completion"),
    );
    models.value = usable;
    modelsError.value = undefined;
    const [first] = usable;
    const isUsable = usable.some(({ id }) => id === chatSettings.value.model);
    if (!isUsable && first !== undefined) changeSettings({ model: first.id });
  } catch (error) {
    modelsError.value = messageOf(error);
  }
}

/** Whether the selected model has a capability; undefined if unknown. */
export function can(capability: "thinking" | "vision"): boolean | undefined {
  const model = models.value?.find(({ id }) => id === chatSettings.value.model);
  return model?.capabilities?.includes(capability);
}
