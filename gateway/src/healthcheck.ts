import { get } from "node:http";

// The image's health check: is the gateway in this container alive? The exit code is the answer. It is run every few
// seconds, so it loads nothing; the image sets PORT.
const TIMEOUT_MS = 2000;

get({ host: "127.0.0.1", port: process.env["PORT"], path: "/health", timeout: TIMEOUT_MS }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
})
  .on("timeout", () => process.exit(1))
  .on("error", () => process.exit(1));
