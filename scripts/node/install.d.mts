/** The folder that holds everything this project builds or downloads outside the checkout. */
export function cacheRoot(): string;
/** Installs Node.js from the packages of this folder unless it is there; returns the binary's path. */
export function installNode(): string;
