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
