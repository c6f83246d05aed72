// npm run pin -- --stack NAME: looks up the current digests of a stack's images and models and writes them into its config.
import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { command } from "../cli/command.ts";
import { RegistryError } from "../registry/manifests.ts";
import { pinStackConfig, formatPin } from "../pin/stack-config.ts";
import { certificatesOf, trustFile } from "../setup/network-environment.ts";
import { projectDefaults, readText, stackFile } from "../stack/stack-file.ts";

await command("pin", async ({ options }) => {
  const stack = options.stack ?? process.env["PULUMI_STACK"];
  if (stack === undefined)
    throw new Error("npm run pin needs a stack: npm run pin -- --stack NAME, or set PULUMI_STACK");
  const certificates = certificatesOf(stack);
  if (certificates !== "") trustFile(certificates);
  const path = stackFile(stack);
  const before = readText(path);
  if (before === undefined)
    throw new Error(
      `the stack ${stack} has no config file ${path} to write digests into: check the name, or create the file`,
    );
  const { text, pins } = await pinStackConfig(before, projectDefaults()).catch((error: unknown) => {
    if (!(error instanceof RegistryError)) throw error;
    throw new Error(`nothing was pinned, ${basename(path)} is unchanged:\n${error.message}`);
  });
  for (const pin of pins) console.log(formatPin(pin));
  if (text !== before) writeFileSync(path, text);
});
