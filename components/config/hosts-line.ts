/** "registry:host-gateway" to what the provider takes; the address may itself hold colons (IPv6). */
export function splitHostsLine(line: string): { host: string; ip: string } {
  const colon = line.indexOf(":");
  return { host: line.slice(0, colon), ip: line.slice(colon + 1) };
}
