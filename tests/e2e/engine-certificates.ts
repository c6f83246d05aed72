import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Two folders of certificates for an engine with mutual TLS. */
export interface Certificates {
  /** ca.pem, cert.pem and key.pem of a client that the engine trusts. */
  readonly client: string;
  /** The same for the engine. */
  readonly server: string;
}

/** Creates a certificate authority, a server certificate for the engine's IP address, and a client certificate. */
export function makeCertificates(folder: string, address: string): Certificates {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  openssl(
    ...["req", "-x509", ...key, "-keyout", "ca-key.pem", "-out", "ca.pem"],
    ...["-subj", "/CN=test", "-days", "2"],
  );
  const make = (name: string, usage: string, extension: string): string => {
    const target = join(folder, name);
    mkdirSync(target);
    openssl(
      "req",
      ...key,
      "-keyout",
      `${name}/key.pem`,
      "-out",
      `${name}/request.pem`,
      "-subj",
      `/CN=${name}`,
    );
    writeFileSync(join(target, "extensions"), `extendedKeyUsage=${usage}\n${extension}\n`);
    const signer = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2"];
    const files = [
      "-in",
      `${name}/request.pem`,
      "-out",
      `${name}/cert.pem`,
      "-extfile",
      `${name}/extensions`,
    ];
    openssl("x509", "-req", ...signer, ...files);
    execFileSync("cp", [join(folder, "ca.pem"), target]);
    return target;
  };
  return {
    server: make("server", "serverAuth", `subjectAltName=IP:${address}`),
    client: make("client", "clientAuth", ""),
  };
}
