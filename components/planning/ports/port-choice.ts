import { createHash } from "node:crypto";

// Chooses ports for `auto`. The choice is deterministic while the port is free, so that a preview and its update agree and
// a second update changes nothing.

/** Below the ephemeral ports (from 32768 on Linux), above the usual ports of services. */
const [first, last] = [20_000, 29_999];
const size = last - first + 1;
export const chosenPorts = `${String(first)} to ${String(last)}`;

/** The inputs of a port choice. */
export interface PortRequest {
  /** Seed for a new port: unique on an engine, such as a container's name. */
  readonly name: string;
  /** The stack's current and former ports, in order of preference. */
  readonly had: readonly number[];
  /** A port that the engine could not bind for a container of this stack. */
  readonly refused?: number | undefined;
  readonly isFree: (port: number) => Promise<boolean>;
}

/** The stack's current port if it is free, else the first free one counted from a hash of its name; undefined if none. */
export async function choosePort({ name, had, refused, isFree }: PortRequest): Promise<number | undefined> {
  for (const port of had) if (port !== refused && (await isFree(port))) return port;
  // Skip a refused port: what holds it may be invisible from here.
  const from = refused !== undefined && isChosen(refused) ? refused - first + 1 : derived(name);
  for (let i = 0; i < size; i += 1) {
    const port = first + ((from + i) % size);
    if (port !== refused && (await isFree(port))) return port;
  }
  return undefined;
}

/** Whether a port is in the range that stacks choose from. */
export function isChosen(port: number): boolean {
  return port >= first && port <= last;
}

function derived(name: string): number {
  return createHash("sha256").update(name).digest().readUInt32BE() % size;
}
