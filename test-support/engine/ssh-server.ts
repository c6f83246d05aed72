import { execFileSync, spawn } from "node:child_process";
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installPackages } from "../../toolchain/apt.ts";
import { unpackedPackages } from "../host/debian-packages.ts";
import type { PrivateEngine } from "./private-engine.ts";

export interface SshServer {
  /** For dockerHost. */
  readonly host: string;
  /** The client's environment, with an `ssh` that has the key and knows the host. */
  readonly env: NodeJS.ProcessEnv;
  /** An environment with an `ssh` that has no key. */
  readonly strangersEnv: NodeJS.ProcessEnv;
  stop(): Promise<void>;
}

const port = "2222";
const queryTimeoutMs = 10_000;

/** Downloads and unpacks the server. Returns its folder. */
export async function fetchSshServer(): Promise<string> {
  await installPackages(["openssh-client", "libwrap0"]);
  return await unpackedPackages("openssh-server", ["openssh-server"]);
}

/**
 * Debian's OpenSSH server in the network of an engine, where Docker's client finds that engine. Its package is unpacked
 * instead of installed, because the installation starts it for the machine.
 */
export async function startSshServer(engine: PrivateEngine): Promise<SshServer> {
  const program = join(await fetchSshServer(), "usr", "sbin", "sshd");
  const folder = join(engine.folder, "ssh");
  mkdirSync(folder, { mode: 0o700 });
  const at = (file: string) => join(folder, file);
  for (const key of ["host", "user"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(key)]);
  copyFileSync(at("user.pub"), at("authorized"));
  writeFileSync(at("known"), `[${engine.address}]:${port} ${readFileSync(at("host.pub"), "utf8").trim()}\n`);
  writeFileSync(at("passwd"), `${readFileSync("/etc/passwd", "utf8")}sshd:x:65533:65534::/:/bin/false\n`);
  const settings = [
    ...[`Port ${port}`, `ListenAddress ${engine.address}`, `HostKey ${at("host")}`, "PidFile none"],
    ...[`AuthorizedKeysFile ${at("authorized")}`, "StrictModes no", "UsePAM no", "PermitRootLogin yes"],
    // The machine is busy during tests, and the provider does not reopen a dropped connection.
    ...["MaxStartups 100", "PasswordAuthentication no", `SetEnv DOCKER_HOST=${engine.host}`],
  ];
  writeFileSync(at("sshd_config"), settings.join("\n"));

  // sshd requires a user and a folder, which exist only in its mounts.
  const prepare =
    'mount --bind "$1/passwd" /etc/passwd && mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$0" -D -e -f "$1/sshd_config"';
  const [command, args] = engine.enter("unshare", ["--mount", "--", "sh", "-c", prepare, program, folder]);
  const log = openSync(at("log"), "a");
  const server = spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], { stdio: ["ignore", log, log] });
  closeSync(log);

  const client = (name: string, key: string): NodeJS.ProcessEnv => {
    const bin = at(name);
    mkdirSync(bin);
    const options = `-o IdentitiesOnly=yes -o IdentityFile=${key} -o BatchMode=yes -o UserKnownHostsFile=${at("known")}`;
    // -F none ignores the user's own configuration.
    writeFileSync(join(bin, "ssh"), `#!/bin/sh\nexec /usr/bin/ssh -F none ${options} "$@"\n`, {
      mode: 0o755,
    });
    return { PATH: [bin, process.env["PATH"] ?? ""].join(delimiter) };
  };
  const result: SshServer = {
    host: `ssh://root@${engine.address}:${port}`,
    env: client("friend", at("user")),
    strangersEnv: client("stranger", at("none")),
    stop: async () => {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.kill("SIGKILL");
      await ended;
    },
  };
  const until = Date.now() + queryTimeoutMs;
  for (;;) {
    try {
      const remote = ["ssh", "-p", port, `root@${engine.address}`, "true"];
      execFileSync("env", remote, { env: { ...process.env, ...result.env }, stdio: "pipe" });
      return result;
    } catch (error) {
      if (Date.now() > until)
        throw new Error(`sshd does not respond:\n${readFileSync(at("log"), "utf8")}`, { cause: error });
      await sleep(100);
    }
  }
}
