// A separate bundle, loaded only by gateways with shared state: it is a sixth of the total size.
export { Redis } from "ioredis";
