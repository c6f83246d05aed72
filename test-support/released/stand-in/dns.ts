import { createSocket } from "node:dgram";
import type { Journal } from "./journal.ts";
import { companyNames, type Faults, knownNames } from "./settings.ts";

const typeA = 1;
const noError = 0x8180;
const nameError = 0x8183;

/** Resolves the expected names to one address, and no other names. */
export function serveDns(address: string, faults: () => Faults, journal: Journal): Promise<void> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    const { name, type, end } = readQuestion(query);
    const blocked = faults().blockedNames ?? [];
    const expected = knownNames.has(name) || companyNames.has(name);
    const isBlocked = knownNames.has(name) && (blocked.includes(name) || blocked.includes("*"));
    const found = expected && !isBlocked;
    // Once per lookup, because clients also query AAAA.
    if (type === typeA || !expected) journal({ kind: "dns", name, found, expected });
    const hasAddress = found && type === typeA;
    const head = Buffer.from(query.subarray(0, end));
    head.writeUInt16BE(found ? noError : nameError, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(hasAddress ? 1 : 0, 6);
    head.writeUInt32BE(0, 8);
    socket.send(hasAddress ? Buffer.concat([head, addressRecord(address)]) : head, from.port, from.address);
  });
  return new Promise((resolve) => {
    socket.bind(53, address, resolve);
  });
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]; length !== undefined && length !== 0; length = query[at]) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** A record for the name at offset 12, class IN, with a TTL of 5 s. */
function addressRecord(address: string): Buffer {
  return Buffer.from([0xc0, 12, 0, typeA, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split(".").map(Number)]);
}
