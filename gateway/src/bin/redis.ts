// A bundle of its own, which only gateways that share their state load: it is a sixth of all.
export { Redis } from "ioredis";
