import * as z from "zod";
import { deadline, type Definition, parsed, SECOND } from "./env-types.ts";

/** Variables for metrics. */
export const metricsVariables = {
  OBJECTIVE_FIRST_TOKEN_MS: deadline({
    default: `${5 * SECOND}`,
    description:
      "Objective for the time to the first token, which gets an exact bucket in the metrics. It is not a limit.",
  }),
  METRICS_KEY_DIGEST: {
    schema: z
      .string()
      .regex(/^([0-9a-f]{64})?$/)
      .transform((digits) => (digits === "" ? undefined : Buffer.from(digits, "hex"))),
    allowed: "the SHA-256 of a key, in 64 hexadecimal digits",
    default: "",
    description:
      "Digest of a key for Prometheus, which may only read /metrics. Only used if API keys are required.",
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
      "Server whose certificate's validity is exposed as metrics, and its server name: the edge in front of the gateway.",
  },
} satisfies Record<string, Definition<unknown>>;
