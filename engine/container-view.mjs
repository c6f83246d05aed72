// Runs as root without capabilities in a container with a volume or a folder at /mounted. Prints JSON:
//   read NAME...   for each file, its SHA-256 or the error code of reading it
//   write          the error code of writing to the mount, or null
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";

const [what, ...names] = process.argv.slice(1);

const codeOf = (work) => {
  try {
    work();
    return null;
  } catch (error) {
    return error.code;
  }
};
const read = (name) => {
  let sha256;
  const error = codeOf(() => {
    sha256 = createHash("sha256")
      .update(readFileSync(`/mounted/${name}`))
      .digest("hex");
  });
  return error === null ? { name, sha256 } : { name, error };
};
// Includes Ollama's folder of models, if it exists.
const folders = ["/mounted", "/mounted/models"].filter((path) => existsSync(path));
const result =
  what === "read"
    ? names.map(read)
    : (folders
        .map((path) => codeOf(() => accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)))
        .find((error) => error !== null) ?? null);
process.stdout.write(JSON.stringify(result));
