import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { Log } from "../observability/log.ts";
import type { Activity } from "./activity.ts";
import type { Viewer } from "./viewer.ts";

/**
 * Aborts a queued or running request.
 *
 * @throws ApiError `request_not_found`, also if the viewer may not see the request
 */
export function cancelRequest(
  activity: Activity,
  id: string,
  viewer: Viewer,
  by: FastifyRequest,
  log: Pick<Log, "audit">,
): void {
  const active = activity.inFlight().find((each) => each.id === id);
  if (active === undefined || !viewer.sees(active.admitted.key)) throw new ApiError("request_not_found");
  log.audit({
    act: "cancel-request",
    target: active.request.id,
    of_key: active.admitted.key,
    key: viewer.consumer.name,
    key_id: by.keyId,
    client: by.record.clientIp,
    request_id: by.id,
  });
  active.admitted.abort(new ApiError("request_cancelled"));
}
