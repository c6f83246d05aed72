import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { withLock } from "../../host/file-lock.mjs";
import { artefact, artefactPath, keyOf } from "../../toolchain/cache.ts";

/**
 * Unpacks Debian packages into a folder in the cache. They are not installed, because installing a server starts it.
 *
 * @param name the name of the folder
 * @param withLibraries whether to unpack the libraries too that they need and that not every Debian has
 */
export async function unpackedPackages(
  name: string,
  packages: readonly string[],
  withLibraries = false,
): Promise<string> {
  const key = keyOf([readFileSync("/etc/debian_version"), ...packages, String(withLibraries)]);
  const known = artefactPath(name, key);
  if (existsSync(known)) return known;
  // Test files run concurrently.
  return withLock(
    join(cacheRoot(), `${name}.lock`),
    () => undefined,
    () =>
      artefact(name, key, (partial) => {
        try {
          unpack(partial, packages, withLibraries);
        } catch {
          // The machine's lists may be missing or old.
          execFileSync("apt-get", ["update"], { stdio: "ignore" });
          unpack(partial, packages, withLibraries);
        }
        return Promise.resolve();
      }),
  );
}

function unpack(folder: string, packages: readonly string[], withLibraries: boolean): void {
  const options = { cwd: folder, stdio: "ignore" } as const;
  const libraries = withLibraries ? packages.flatMap(librariesOf) : [];
  execFileSync("apt-get", ["download", ...packages, ...libraries], options);
  execFileSync("sh", ["-c", 'for each in *.deb; do dpkg-deb --extract "$each" . || exit 1; done'], options);
}

function librariesOf(name: string): string[] {
  const text = execFileSync("apt-cache", ["depends", "--no-recommends", "--no-suggests", name], {
    encoding: "utf8",
  });
  const libraries = text.matchAll(/^ +Depends: (lib[\w.+-]+|lua-[\w.+-]+)$/gm);
  return [...libraries]
    .map(([, library = ""]) => library)
    .filter((library) => !/^lib(c6|ssl|systemd|elogind|gcc|stdc)/.test(library));
}
