// In the bundle, takes the place of modules that dependencies load at startup and the gateway does not use.

/** Undici reads those of node:http2. */
export const constants = {};
