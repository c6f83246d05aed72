import { request } from "node:http";

// Runs inside the gateway's container, to replace it or one of its backends:
// - control.cjs drain SECONDS [NOTICE]: stops new requests and waits for those in flight; senders may take NOTICE
// seconds to notice
// - control.cjs drain HOST:PORT SECONDS: the same for a backend
// - control.cjs return: accepts new requests again after a drain
// - control.cjs return HOST:PORT: returns that backend to service
// - control.cjs drained: prints "this gateway" and each HOST:PORT that a drain keeps from new requests
// - control.cjs reload-keys: reads the key file immediately, and prints the keys in effect as NAME:ID
// - control.cjs usage MONTH: prints the usage of a month such as 2026-11 as JSON
const [what = "", ...rest] = process.argv.slice(2);
const isTarget = (word: string): boolean => what === "usage" || word.includes(":");
const target = rest.find(isTarget);
const [seconds = "0", notice] = rest.filter((word) => !isTarget(word));
const query = `seconds=${seconds}${notice === undefined ? "" : `&notice=${notice}`}`;
const path = `/${what}${target === undefined ? "" : `/${encodeURIComponent(target)}`}?${query}`;

request({ socketPath: process.env["CONTROL_SOCKET"], method: "POST", path }, (response) => {
  response.pipe(process.stdout);
  response.once("end", () => {
    process.exitCode = response.statusCode === 200 ? 0 : 1;
  });
})
  .once("error", (error) => {
    process.stderr.write(`the gateway does not respond: ${error.message}\n`);
    process.exitCode = 1;
  })
  .end();
