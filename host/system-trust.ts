import tls from "node:tls";

const untrusted = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

let systemTrusted = false;

/** Adds certificates in PEM format to those that this process trusts. */
export function trustCertificates(pem: string): void {
  const more = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...more]);
}

/**
 * Runs a function that makes TLS connections. If it fails because Node.js does not trust a certificate, retries with the
 * machine's trusted certificates, such as that of a proxy that inspects TLS. They are read on demand because that is slow.
 */
export async function withSystemTrust<T>(work: () => Promise<T>): Promise<T> {
  const trustedBefore = systemTrusted;
  try {
    return await work();
  } catch (error) {
    if (trustedBefore || !isUntrusted(error)) throw error;
    trustSystem();
    return await work();
  }
}

function trustSystem(): void {
  // A concurrent request may have been first.
  if (systemTrusted) return;
  systemTrusted = true;
  const [own, system] = [tls.getCACertificates("default"), tls.getCACertificates("system")];
  tls.setDefaultCACertificates([...new Set([...own, ...system])]);
}

/** Whether a connection failed because the server's certificate is not trusted. */
export function isUntrusted(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return untrusted.has(String((error as NodeJS.ErrnoException).code)) || isUntrusted(error.cause);
}
