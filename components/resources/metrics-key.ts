import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { madeSecret } from "./made-secret.ts";

/** A key that only lets metrics be read, made once for a stack, and its digest. */
export function newMetricsKey(): {
  readonly key: pulumi.Output<string>;
  readonly digest: pulumi.Output<string>;
} {
  const key = madeSecret("prometheus-key", "new-metrics-key.ts");
  // Tells nobody the key, which is random.
  const digest = pulumi.unsecret(key.apply((text) => createHash("sha256").update(text).digest("hex")));
  return { key, digest };
}
