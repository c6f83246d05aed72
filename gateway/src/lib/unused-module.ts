// Takes the place of node:http2 in the bundle: the gateway speaks HTTP/1.1, and loading the module takes 3 % of the start.
export const constants = {};
