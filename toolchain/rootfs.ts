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

/** Counts into the keys of the images: a change of what follows makes them again. */
export const recipe = "1";

export interface Rootfs {
  /** The program to put in, and where. */
  readonly binary: string;
  readonly destination: string;
  /** The user besides root, number 1000, as in the official image. */
  readonly user: string;
}

/** The certificates that the machine trusts: a network that re-signs TLS is trusted in the image as outside. */
const certificates = "/etc/ssl/certs/ca-certificates.crt";

/** Fills a folder with a program, the libraries that ldd lists, and the few files that C libraries look for. */
export async function makeRootfs(root: string, { binary, destination, user }: Rootfs): Promise<void> {
  put(binary, root, destination);
  chmodSync(join(root, destination), 0o755);
  const listed = await runTool("ldd", [binary], { what: `ldd ${destination}` });
  if (listed.includes("not found")) throw new SetupError(`libraries of ${binary} are missing:\n${listed}`);
  for (const [library] of listed.matchAll(/\/\S+/g)) put(realpathSync(library), root, library);

  if (existsSync(certificates)) put(certificates, root, certificates);
  mkdirSync(join(root, "tmp"));
  // Past the umask: everybody's, and only one's own may be deleted.
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
