import { newKey } from "../../gateway/src/auth/api-keys.ts";

// Makes an API key. The key goes to who will use it; the gateway gets the line, which does not give the key away.
const [name, ...fields] = process.argv.slice(2);
if (name === undefined) {
  console.error(
    "usage: npm run new-key -- NAME [requests=N] [tokens=N] [concurrent=N] [models=A,B] [admin]\n" +
      "The limits are per minute; without one there is none.",
  );
  process.exitCode = 2;
} else {
  try {
    const { key, line } = newKey(name, fields);
    console.log(`The key, which is not kept anywhere:\n\n  ${key}\n`);
    console.log(`The line for API_KEYS or the file that API_KEYS_FILE names:\n\n  ${line}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  }
}
