import tls from "node:tls";

const untrusted = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

let systemTrusted = false;

/** Has this process trust the certificates of a PEM text, too. */
export function trustCertificates(pem: string): void {
  const more = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), ...more]);
}

/**
 * Does something that makes TLS connections. If a certificate is not of an authority that Node.js brings along, it is
 * done again with those that the machine trusts, such as the one of a proxy that inspects TLS. Reading them takes time,
 * so it is not done before.
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
  // Another request that began with this one may have been first.
  if (systemTrusted) return;
  systemTrusted = true;
  const [own, system] = [tls.getCACertificates("default"), tls.getCACertificates("system")];
  tls.setDefaultCACertificates([...new Set([...own, ...system])]);
}

/** Whether a connection failed because nobody here trusts the certificate that was shown. */
export function isUntrusted(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return untrusted.has(String((error as NodeJS.ErrnoException).code)) || isUntrusted(error.cause);
}
