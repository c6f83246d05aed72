// Runs in a container with the volume at /volume:
//   write NAME SHA256   replaces the file with standard input, if that has the hash
//   hash NAME...        prints each file's SHA-256, or an empty line if it does not exist
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [what, ...args] = process.argv.slice(1);
const pathOf = (name) => `/volume/${name}`;
const hashOf = (content) => createHash("sha256").update(content).digest("hex");

if (what === "hash") {
  const lines = args.map((name) => {
    try {
      return hashOf(readFileSync(pathOf(name)));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      return "";
    }
  });
  process.stdout.write(lines.join("\n"));
} else {
  const [name, expected] = args;
  const path = pathOf(name);
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  const content = Buffer.concat(parts);
  // The sender may have been killed midway.
  if (hashOf(content) !== expected) throw new Error("the content was not received completely");
  const unfinished = `${path}.${process.pid}.${Date.now()}`;
  writeFileSync(unfinished, content);
  // Services run as other users.
  chmodSync(unfinished, 0o444);
  renameSync(unfinished, path);
}
