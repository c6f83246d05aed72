// npm run new-key: generates an API key. The key is for its user; the gateway gets the line, which does not reveal the key.
import { text } from "node:stream/consumers";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { command } from "../cli/command.ts";
import { UsageError } from "../cli/command-line.mjs";
import { weaknessOf } from "../keys/key-strength.ts";

await command("new-key", async ({ options, operands: [name, ...fields] }) => {
  if (name === undefined)
    throw new UsageError("npm run new-key needs the name of a key. See npm run new-key -- --help");
  const ownKey = options.stdin === true ? await readOwnKey() : undefined;
  const { key, line } = newKey(name, fields, ownKey);
  if (ownKey === undefined) console.log(`The key, which is not stored anywhere:\n\n  ${key}\n`);
  console.log(`The line for gatewayApiKeys, API_KEYS or the file that API_KEYS_FILE names:\n\n  ${line}`);
});

/** Reads a key from standard input, because other users can see arguments. @throws Error if it is weak */
async function readOwnKey(): Promise<string> {
  const key = (await text(process.stdin)).replace(/\r?\n$/, "");
  const weakness = await weaknessOf(key);
  if (weakness !== undefined) throw new Error(`The key ${weakness}`);
  return key;
}
