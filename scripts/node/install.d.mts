/** Installs Node.js from the packages of this folder if needed; returns the binary's path. */
export function installNode(): string;
/** Packages that the package.json of a folder names and its node_modules lacks, as after `npm install --omit=dev`. */
export function missingPackages(dir: string): string[];
/** Whether the node_modules of a folder is what its package-lock.json describes, as after a plain `npm ci`. */
export function isInstalled(dir: string): boolean;
/** Installs the packages of a folder's package-lock.json, including development packages, without install scripts. Throws an error for users. */
export function npmCi(dir: string): void;
