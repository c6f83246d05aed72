import * as z from "zod";

const number = z.number().nullish();
const flag = z.boolean().nullish();

/**
 * Ollama's options that a model is loaded with, apart from its context and from those that have bounds. On a gateway
 * with keys not every key may set them.
 */
export const serverOptions = {
  num_gpu: number,
  main_gpu: number,
  use_mmap: flag,
  use_imagegen_runner: flag,
};
