import * as z from "zod";
import { deadline, type Definition, parsed, SECOND } from "./env-types.ts";

/** Variables for metrics. */
export const metricsVariables = {
  OBJECTIVE_FIRST_TOKEN_MS: deadline({
    default: `${5 * SECOND}`,
    description:
      "How long a client should wait for the first token at most: the metrics count exactly how many waited longer. " +
      "Limits nothing.",
  }),
  METRICS_KEY_DIGEST: {
    schema: z
      .string()
      .regex(/^([0-9a-f]{64})?$/)
      .transform((digits) => (digits === "" ? undefined : Buffer.from(digits, "hex"))),
    allowed: "the SHA-256 of a key, in 64 hexadecimal digits",
    default: "",
    description:
      "A key that may read /metrics and nothing else, by its digest: for Prometheus. Counts only where API keys are " +
      "required.",
  },
  WATCHED_CERTIFICATE: {
    schema: parsed((text) => {
      if (text === "") return undefined;
      const [, host = "", port = "", servername = ""] = /^([\w.-]+):(\d{1,5})\/([\w.-]+)$/.exec(text) ?? [];
      if (host === "" || Number(port) > 65_535) throw new Error("it is no host:port/name");
      return { host, port: Number(port), servername };
    }),
    allowed: "host:port/name, such as edge:443/llm.example.org",
    default: "",
    description:
      "Server whose certificate's dates are in the metrics, and the name to ask it for: the edge in front of the gateway.",
  },
} satisfies Record<string, Definition<unknown>>;
