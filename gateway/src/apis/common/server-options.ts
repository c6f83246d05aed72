import * as z from "zod";

const number = z.number().nullish();
const flag = z.boolean().nullish();

/**
 * Options that affect how Ollama loads a model, other than the context and those with limits. On a gateway with keys,
 * only some keys may set them.
 */
export const serverOptions = {
  num_gpu: number,
  main_gpu: number,
  use_mmap: flag,
  use_imagegen_runner: flag,
};
