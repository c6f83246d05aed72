import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Certificates for an engine behind TLS, as files of two folders. */
export interface Certificates {
  /** ca.pem, cert.pem and key.pem of a client that the engine lets in. */
  readonly client: string;
  /** The same for the engine. */
  readonly server: string;
}

/** Makes an authority, and a certificate of it for the engine at an IP address and one for a client. */
export function makeCertificates(folder: string, address: string): Certificates {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  openssl(
    ...["req", "-x509", ...key, "-keyout", "ca-key.pem", "-out", "ca.pem"],
    ...["-subj", "/CN=test", "-days", "2"],
  );
  const make = (name: string, use: string, more: string): string => {
    const at = join(folder, name);
    mkdirSync(at);
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
    writeFileSync(join(at, "extensions"), `extendedKeyUsage=${use}\n${more}\n`);
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
    execFileSync("cp", [join(folder, "ca.pem"), at]);
    return at;
  };
  return {
    server: make("server", "serverAuth", `subjectAltName=IP:${address}`),
    client: make("client", "clientAuth", ""),
  };
}
