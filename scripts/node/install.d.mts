/** Installs Node.js from the packages of this folder unless it is there; returns the binary's path. */
export function installNode(): string;
/** Installs what the package-lock.json of a folder says, without running install scripts. Throws an error for people. */
export function npmCi(dir: string): void;
