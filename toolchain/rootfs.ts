import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  mkdirSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { runTool, SetupError } from "../host/exec.ts";

/** Part of the keys of the images. Increment it when the code below changes, so that they are rebuilt. */
export const recipe = "1";

interface Rootfs {
  /** The program, and its path in the image. */
  readonly binary: string;
  readonly destination: string;
  /** The user with id 1000, as in the official image. */
  readonly user: string;
}

/** The machine's trusted certificates, so that images work in a network that intercepts TLS. */
const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Fills a folder with a program, the libraries that ldd lists, and the files that C libraries need. */
export async function makeRootfs(root: string, { binary, destination, user }: Rootfs): Promise<void> {
  put(binary, root, destination);
  chmodSync(join(root, destination), 0o755);
  const listed = await runTool("ldd", [binary], { what: `ldd ${destination}` });
  if (listed.includes("not found")) throw new SetupError(`libraries of ${binary} are missing:\n${listed}`);
  for (const [library] of listed.matchAll(/\/\S+/g)) put(realpathSync(library), root, library);

  if (existsSync(certificates)) put(certificates, root, certificates);
  mkdirSync(join(root, "tmp"));
  // chmod ignores the umask: everyone may write, but only delete their own files.
  chmodSync(join(root, "tmp"), 0o1777);
  mkdirSync(join(root, "root"), { mode: 0o700 });
  mkdirSync(join(root, "home", user), { recursive: true });
  lchownSync(join(root, "home", user), 1000, 1000);
  write(
    root,
    "etc/passwd",
    `root:x:0:0:root:/root:/sbin/nologin\n${user}:x:1000:1000::/home/${user}:/sbin/nologin\n`,
  );
  write(root, "etc/group", `root:x:0:\n${user}:x:1000:\n`);
  write(root, "etc/nsswitch.conf", "hosts: files dns\n");
}

function put(from: string, root: string, to: string): void {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  copyFileSync(from, join(root, to));
}

function write(root: string, path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
