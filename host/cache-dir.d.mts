/** The folder that holds everything this project builds or downloads outside the checkout. */
export function cacheRoot(): string;
/** Where Node.js keeps what it has compiled. */
export function compileCache(): string;
