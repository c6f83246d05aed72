import { request } from "node:http";

// Run in the gateway's container by whoever is to replace it or one of its Ollama servers:
//   control.cjs drain SECONDS [NOTICE]    no new requests here, and none under way; whoever sends them may take NOTICE
//                                         seconds to notice
//   control.cjs drain HOST:PORT SECONDS   the same of an Ollama server
//   control.cjs return HOST:PORT          requests go to that server again
//   control.cjs reload-keys               the file of keys is read at once; prints the keys in force, as NAME:ID
//   control.cjs usage MONTH               what requests of a month such as 2026-11 came to, as JSON
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
    process.stderr.write(`the gateway does not answer: ${error.message}\n`);
    process.exitCode = 1;
  })
  .end();
