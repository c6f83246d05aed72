/** How clients reach an edge. */
const modes = {
  /** Plain HTTP. */
  http: { tls: false, named: false },
  /** TLS with certificates from the edge's own authority, which clients must trust. */
  internal: { tls: true, named: false },
  /** TLS with a certificate that you provide. */
  certificate: { tls: true, named: true },
  /** TLS with certificates from an ACME authority. */
  acme: { tls: true, named: true },
} as const;
export type EdgeMode = keyof typeof modes;
export const edgeModes = Object.keys(modes) as EdgeMode[];

export function hasTls(mode: EdgeMode): boolean {
  return modes[mode].tls;
}

/** Whether the mode requires host names and accepts certificate files, because the certificate comes from outside. */
export function isNamed(mode: EdgeMode): boolean {
  return modes[mode].named;
}

/** The port that the edge listens on in its container, which ACME authorities use for validation. */
export function edgePort(mode: EdgeMode): number {
  return hasTls(mode) ? 443 : 80;
}
