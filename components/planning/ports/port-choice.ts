import { createHash } from "node:crypto";

// A port that the config leaves to the stack. The same each time, as long as it is free: a preview and
// its update agree, and another update changes nothing.

/** Below what kernels give to outgoing connections (from 32768 on Linux), above the ports that services have by custom. */
const [first, last] = [20_000, 29_999];
const size = last - first + 1;
export const chosenPorts = `${String(first)} to ${String(last)}`;

/** What is known of a port before it is chosen. */
export interface PortWish {
  /** What it is derived from when the stack has none yet: unique on an engine, such as a container's name. */
  readonly name: string;
  /** The ports that the stack has or had, the best first. */
  readonly had: readonly number[];
  /** One that the engine could not give to a container of this stack. */
  readonly refused?: number | undefined;
  readonly isFree: (port: number) => Promise<boolean>;
}

/** The port that the stack has if it can have it, else the first free one from a place that its name says; or none. */
export async function choosePort({ name, had, refused, isFree }: PortWish): Promise<number | undefined> {
  for (const port of had) if (port !== refused && (await isFree(port))) return port;
  // Not the same again: what refused it may be nothing that can be seen from here.
  const from = refused !== undefined && isChosen(refused) ? refused - first + 1 : derived(name);
  for (let i = 0; i < size; i += 1) {
    const port = first + ((from + i) % size);
    if (port !== refused && (await isFree(port))) return port;
  }
  return undefined;
}

/** Whether a port is one of those that stacks choose from. */
export function isChosen(port: number): boolean {
  return port >= first && port <= last;
}

function derived(name: string): number {
  return createHash("sha256").update(name).digest().readUInt32BE() % size;
}
