// npm run new-key: makes an API key. The key goes to who will use it; the gateway gets the line, which does not give
// the key away.
import { text } from "node:stream/consumers";
import { KEY_FIELDS } from "../../gateway/src/auth/key-fields.ts";
import { newKey } from "../../gateway/src/auth/api-keys.ts";
import { weaknessOf } from "../keys/key-strength.ts";

const usage = `usage: npm run new-key -- NAME ${KEY_FIELDS}
       npm run new-key -- --stdin NAME ...   takes a key of yours from standard input

requests and tokens are per minute, budgets per calendar day and month (UTC); without one there is none. What each
field means is in docs/gateway.md. A key of yours needs 128 bits of entropy, as openssl rand -hex 32 has.`;

const args = process.argv.slice(2);
const fromInput = args.includes("--stdin");
const [name, ...fields] = args.filter((arg) => arg !== "--stdin");

if (args.includes("--help")) console.log(usage);
else if (name === undefined) {
  console.error(usage);
  process.exitCode = 2;
} else {
  try {
    const given = fromInput ? await givenKey() : undefined;
    const { key, line } = newKey(name, fields, given);
    if (given === undefined) console.log(`The key, which is not kept anywhere:\n\n  ${key}\n`);
    console.log(`The line for gatewayApiKeys, API_KEYS or the file that API_KEYS_FILE names:\n\n  ${line}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}

/** Not an argument: other users of the machine see those. @throws Error when it is weak */
async function givenKey(): Promise<string> {
  const key = (await text(process.stdin)).replace(/\r?\n$/, "");
  const weakness = await weaknessOf(key);
  if (weakness !== undefined) throw new Error(`The key ${weakness}`);
  return key;
}
