import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface SiteCertificates {
  /** PEM files. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** Creates an authority and a certificate for all names. */
export function makeSiteCertificates(folder: string, names: Iterable<string>): SiteCertificates {
  mkdirSync(folder, { mode: 0o700 });
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];
  openssl(
    ...["req", "-x509", ...key, "-keyout", "authority-key.pem", "-out", "authority.pem"],
    ...["-subj", "/CN=the authority of a test", "-days", "2"],
  );
  openssl(...["req", ...key, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=sites of a test"]);
  const alternatives = [...names].map((name) => `DNS:${name}`).join(",");
  writeFileSync(join(folder, "extensions"), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\n`);
  openssl(
    ...["x509", "-req", "-in", "request.pem", "-out", "certificate.pem", "-extfile", "extensions"],
    ...["-CA", "authority.pem", "-CAkey", "authority-key.pem", "-CAcreateserial", "-days", "2"],
  );
  const at = (file: string) => join(folder, file);
  return { authority: at("authority.pem"), certificate: at("certificate.pem"), key: at("key.pem") };
}
