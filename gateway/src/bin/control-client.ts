import { request } from "node:http";

// Run in the gateway's container by whoever is to replace it or one of its Ollama servers:
//   control.cjs drain SECONDS             no new requests here, and none under way
//   control.cjs drain HOST:PORT SECONDS   the same of an Ollama server
//   control.cjs return HOST:PORT          requests go to that server again
//   control.cjs reload-keys               the file of keys is read at once; prints the keys in force, as NAME:ID
const [what = "", ...rest] = process.argv.slice(2);
const server = rest.find((word) => word.includes(":"));
const seconds = rest.find((word) => !word.includes(":")) ?? "0";
const path = `/${what}${server === undefined ? "" : `/${encodeURIComponent(server)}`}?seconds=${seconds}`;

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
