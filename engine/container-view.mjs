// Runs in a container of its own that has a volume or a folder at /mounted, as root without a capability:
//   read NAME...   prints as JSON, for each file, its SHA-256, or the code of the error with which it cannot be read
//   write          prints as JSON the code of the error with which nothing can be written there, or null
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
// Ollama's folder of models, where there is one already.
const folders = ["/mounted", "/mounted/models"].filter((path) => existsSync(path));
const result =
  what === "read"
    ? names.map(read)
    : (folders
        .map((path) => codeOf(() => accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)))
        .find((error) => error !== null) ?? null);
process.stdout.write(JSON.stringify(result));
