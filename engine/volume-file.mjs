// Runs in a container of its own that has the volume at /volume:
//   write NAME SHA256   puts what comes on standard input there, in the place of what was there, if it has that hash
//   hash NAME           prints the SHA-256 of what is there; nothing if there is nothing
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const [what, name, expected] = process.argv.slice(1);
const path = `/volume/${name}`;
const hashOf = (content) => createHash("sha256").update(content).digest("hex");

if (what === "hash") {
  try {
    process.stdout.write(hashOf(readFileSync(path)));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
} else {
  const parts = [];
  for await (const part of process.stdin) parts.push(part);
  const content = Buffer.concat(parts);
  // Whoever sends it may be killed in the middle.
  if (hashOf(content) !== expected) throw new Error("what was to be written did not arrive in full");
  const unfinished = `${path}.${process.pid}.${Date.now()}`;
  writeFileSync(unfinished, content);
  // Services run as other users.
  chmodSync(unfinished, 0o444);
  renameSync(unfinished, path);
}
