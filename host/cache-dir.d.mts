/** The folder that holds everything this project builds or downloads outside the checkout. */
export function cacheRoot(): string;
/** Folder of Node.js' compile cache. */
export function compileCache(): string;
