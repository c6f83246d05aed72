// npm run pin -- --stack NAME: looks up the current digests of a stack's images and models and writes them into its config.
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { command } from "../cli/command.ts";
import { RegistryError } from "../registry/manifests.ts";
import { pinStackConfig, formatPin } from "../pin/stack-config.ts";
import { certificatesOf, trustFile } from "../setup/network-environment.ts";
import { projectDefaults, stackFile } from "../stack/stack-file.ts";

await command("pin", async ({ options }) => {
  const stack = options.stack ?? process.env["PULUMI_STACK"];
  if (stack === undefined) throw new Error("which stack? npm run pin -- --stack NAME");
  const certificates = certificatesOf(stack);
  if (certificates !== "") trustFile(certificates);
  const path = stackFile(stack);
  const before = readFileSync(path, "utf8");
  const { text, pins } = await pinStackConfig(before, projectDefaults()).catch((error: unknown) => {
    if (!(error instanceof RegistryError)) throw error;
    throw new Error(`nothing was pinned, ${basename(path)} is unchanged:\n${error.message}`);
  });
  for (const pin of pins) console.log(formatPin(pin));
  if (text !== before) writeFileSync(path, text);
});
