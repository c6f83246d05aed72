import { get } from "node:http";

// The image's health check: exits with 0 if the gateway in this container is alive. Runs every few seconds, so it loads
// nothing; the image sets PORT. With another path, such as /ready, prints the response.
const TIMEOUT_MS = 2000;
const [path = "/health"] = process.argv.slice(2);

get({ host: "127.0.0.1", port: process.env["PORT"], path, timeout: TIMEOUT_MS }, (response) => {
  const code = response.statusCode === 200 ? 0 : 1;
  if (path === "/health") process.exit(code);
  response.pipe(process.stdout).once("unpipe", () => process.exit(code));
})
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
