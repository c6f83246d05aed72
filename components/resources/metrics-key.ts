import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** A key that only lets metrics be read, made once for a stack, and its digest. */
export function newMetricsKey(): {
  readonly key: pulumi.Output<string>;
  readonly digest: pulumi.Output<string>;
} {
  const made = new command.local.Command(
    "prometheus-key",
    { create: "node components/commands/new-metrics-key.ts", addPreviousOutputInEnv: false },
    { additionalSecretOutputs: ["stdout"] },
  );
  const key = pulumi.secret(made.stdout.apply((text) => text.trim()));
  // Tells nobody the key, which is random.
  const digest = pulumi.unsecret(key.apply((text) => createHash("sha256").update(text).digest("hex")));
  return { key, digest };
}
