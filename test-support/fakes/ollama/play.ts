import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import type { Received } from "./received.ts";
import type { Step } from "./steps.ts";

export const JSON_TYPE = "application/json; charset=utf-8";
const NDJSON_TYPE = "application/x-ndjson";

/** Plays a script and ends the response. Returns true if the script sent nothing, so the caller has to respond. */
export async function play(
  script: readonly Step[],
  response: ServerResponse,
  received: Received,
): Promise<boolean> {
  for (const step of script) {
    if (step === "hang") return false;
    if (step === "cut") {
      // Lets written data go out first.
      await new Promise((resolve) => setImmediate(resolve));
      response.destroy();
      return false;
    }
    if (step === "flood") await flood(response, received);
    else if ("waitMs" in step) await wait(step.waitMs);
    else if ("until" in step) await step.until;
    else if ("status" in step) response.writeHead(step.status, typeOf(step.body)).write(step.body);
    else if ("line" in step) {
      const { stream } = received.body as Partial<OllamaChatRequest>;
      const isBuffered = stream === false || received.path === "/api/embed";
      if (!response.headersSent) response.setHeader("content-type", isBuffered ? JSON_TYPE : NDJSON_TYPE);
      response.write(`${JSON.stringify(step.line)}\n`);
    } else response.write(step.raw);
  }
  if (!response.headersSent && !script.some((step) => typeof step === "object" && "raw" in step)) return true;
  response.end();
  return false;
}

/** Ollama sends no content type without content. */
function typeOf(body: string): Record<string, string> {
  return body === "" ? {} : { "content-type": JSON_TYPE };
}

function flood(response: ServerResponse, received: Received): Promise<void> {
  const line = `${JSON.stringify({ message: { content: "x".repeat(1000) }, done: false })}\n`;
  const write = (): void => {
    do received.bytesTaken += line.length;
    while (!response.destroyed && response.write(line));
  };
  response.on("drain", write);
  write();
  return new Promise((resolve) => response.once("close", resolve));
}
