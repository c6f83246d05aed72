import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The user of a world. */
export const user = { name: "ada", id: 1000, dockerGroup: 990, home: "/home/ada" } as const;

/** Fills the user's home with the project's files, without build results, and the authority of a company's sites. */
export function fillHome(home: string, companyAuthority: string): void {
  mkdirSync(home);
  copyFileSync(companyAuthority, join(home, "company.pem"));
  const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    encoding: "utf8",
  });
  for (const file of files.split("\n").filter((name) => name !== "" && existsSync(name))) {
    const target = join(home, "ollama-stack", file);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(file, target);
  }
  mkdirSync(join(home, "ollama-stack", "node_modules"));
  execFileSync("git", ["init", "--quiet", join(home, "ollama-stack")]);
  execFileSync("chown", ["-R", `${String(user.id)}:${String(user.id)}`, home]);
}

/** Writes the files that replace the machine's in the world's /etc. */
export function fillEtc(etc: string, authority: string, nameserver: string): void {
  mkdirSync(join(etc, "ssl", "certs"), { recursive: true });
  const write = (file: string, text: string) => {
    writeFileSync(join(etc, file), text);
  };
  const { name, id, dockerGroup, home } = user;
  write("resolv.conf", `nameserver ${nameserver}\noptions timeout:2 attempts:2\n`);
  write("hosts", "127.0.0.1 localhost laptop\n");
  write("passwd", `root:x:0:0:root:/root:/bin/sh\n${name}:x:${String(id)}:${String(id)}::${home}:/bin/sh\n`);
  write("group", `root:x:0:\n${name}:x:${String(id)}:\ndocker:x:${String(dockerGroup)}:${name}\n`);
  copyFileSync(authority, join(etc, "ssl", "certs", "ca-certificates.crt"));
}
