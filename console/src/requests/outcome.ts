import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import type { Tone } from "../ui/panel.tsx";

type Outcome = Pick<FinishedRequest, "status" | "error">;

/** A proxied request has Ollama's error status and no error of the gateway. */
export function isOk({ status, error }: Outcome): boolean {
  return error === null && status < 400;
}

export function toneOf(outcome: Outcome): Tone {
  if (isOk(outcome)) return "good";
  return outcome.status >= 500 || outcome.status === 0 ? "bad" : "warning";
}
