/** How clients reach an edge, and what has to be known for it. */
const modes = {
  /** Plain HTTP. */
  http: { tls: false, named: false },
  /** TLS with certificates of the edge's own authority, which clients have to trust. */
  internal: { tls: true, named: false },
  /** TLS with a certificate that is given. */
  certificate: { tls: true, named: true },
  /** TLS with certificates that an ACME authority issues. */
  acme: { tls: true, named: true },
} as const;
export type EdgeMode = keyof typeof modes;
export const edgeModes = Object.keys(modes) as EdgeMode[];

/** Whether clients reach it with TLS. */
export function hasTls(mode: EdgeMode): boolean {
  return modes[mode].tls;
}

/** Whether it needs its host names, and may be given files: its certificate comes from outside. */
export function isNamed(mode: EdgeMode): boolean {
  return modes[mode].named;
}

/** The port that the edge listens on in its container: an ACME authority asks at this one. */
export function edgePort(mode: EdgeMode): number {
  return hasTls(mode) ? 443 : 80;
}
