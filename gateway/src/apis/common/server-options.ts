import * as z from "zod";

const number = z.number().nullish();
const flag = z.boolean().nullish();

/** Ollama's options that a model is loaded with, apart from its context. On a gateway with keys not every key may set them. */
export const serverOptions = {
  num_batch: number,
  num_gpu: number,
  main_gpu: number,
  use_mmap: flag,
  num_thread: number,
  use_imagegen_runner: flag,
};

/**
 * Ollama's options that take memory for each request. Of 2,000,000,000 tokens to look back on, a model's runner keeps
 * 8 GB.
 */
export const boundedOptions = { repeat_last_n: z.int().min(-1).max(1_048_576).nullish() };
