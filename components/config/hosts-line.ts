/** Splits "registry:host-gateway" at the first colon; the address may itself contain colons (IPv6). */
export function splitHostsLine(line: string): { host: string; ip: string } {
  const colon = line.indexOf(":");
  return { host: line.slice(0, colon), ip: line.slice(colon + 1) };
}
