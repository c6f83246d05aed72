// Run by Pulumi once per stack: generates the key with which Prometheus reads the gateways' metrics.
import { randomBytes } from "node:crypto";

console.log(randomBytes(32).toString("base64url"));
