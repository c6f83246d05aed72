import * as z from "zod";

/** OpenAI accepts 4. For each token, Ollama compares its text with every prefix of every stop sequence. */
export const MAX_STOPS = 64;
export const MAX_STOP_LENGTH = 1024;

const stop = z.string().max(MAX_STOP_LENGTH);

/** Stop sequences of a request, in every API. */
export const stopList = z.array(stop).max(MAX_STOPS);

/** Stop sequences, or a single one. */
export const stops = z.union([stop, stopList]);
