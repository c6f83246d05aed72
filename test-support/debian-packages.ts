import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { artefact, keyOf } from "../toolchain/cache.ts";

/**
 * Debian packages, unpacked into a folder that is kept. To be installed means, for a server, to be started for this whole
 * machine.
 *
 * @param name of the folder
 */
export function unpackedPackages(name: string, packages: readonly string[]): Promise<string> {
  return artefact(name, keyOf([readFileSync("/etc/debian_version"), ...packages]), (partial) => {
    const options = { cwd: partial, stdio: "ignore" } as const;
    try {
      execFileSync("apt-get", ["download", ...packages], options);
    } catch {
      // The machine's lists may be missing or old.
      execFileSync("apt-get", ["update"], options);
      execFileSync("apt-get", ["download", ...packages], options);
    }
    execFileSync("sh", ["-c", 'for each in *.deb; do dpkg-deb --extract "$each" . || exit 1; done'], options);
    return Promise.resolve();
  });
}

/** The libraries that a package needs and that are no part of every Debian. */
export function librariesOf(name: string): string[] {
  const text = execFileSync("apt-cache", ["depends", "--no-recommends", "--no-suggests", name], {
    encoding: "utf8",
  });
  const libraries = text.matchAll(/^ +Depends: (lib[\w.+-]+|lua-[\w.+-]+)$/gm);
  return [...libraries]
    .map(([, library = ""]) => library)
    .filter((library) => !/^lib(c6|ssl|systemd|elogind|gcc|stdc)/.test(library));
}
