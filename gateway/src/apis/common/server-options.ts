import type * as z from "zod";
import { unsupported } from "./validation.ts";

// Nothing but null gets through.
const ofTheServer = unsupported(
  "what a model is run with is the server's to say, and another value would load it anew for everybody; " +
    "a PARAMETER in the model's Modelfile sets it",
).optional() as z.ZodOptional<z.ZodNull>;

/** Ollama's options that a client has no say in. `num_ctx` is like them, but part of what the gateway loads by. */
export const serverOptions = {
  num_batch: ofTheServer,
  num_gpu: ofTheServer,
  main_gpu: ofTheServer,
  use_mmap: ofTheServer,
  num_thread: ofTheServer,
  use_imagegen_runner: ofTheServer,
};
