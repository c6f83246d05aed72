// Run by Pulumi once per stack: generates the password of its Valkey.
import { randomBytes } from "node:crypto";

console.log(randomBytes(32).toString("base64url"));
