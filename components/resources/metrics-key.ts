import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { madeSecret } from "./made-secret.ts";

/** A key that only grants access to metrics, generated once per stack, and its digest. */
export function newMetricsKey(): {
  readonly key: pulumi.Output<string>;
  readonly digest: pulumi.Output<string>;
} {
  const key = madeSecret("prometheus-key", "new-metrics-key.ts");
  // Not secret, because the key is random.
  const digest = pulumi.unsecret(key.apply((text) => createHash("sha256").update(text).digest("hex")));
  return { key, digest };
}
