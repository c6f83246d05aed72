// Run by Pulumi once for a stack: prints the password that its gateways have in common with its Valkey.
import { randomBytes } from "node:crypto";

console.log(randomBytes(32).toString("base64url"));
