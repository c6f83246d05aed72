import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { AuditedAct } from "../observability/log.ts";
import type { Activity } from "./activity.ts";
import type { Viewer } from "./viewer.ts";

interface AuditLog {
  audit(act: AuditedAct): void;
}

/**
 * Ends a request that waits or runs, whatever it has come to.
 *
 * @throws ApiError `request_not_found`, for a request that the viewer may not see as for one that is not there
 */
export function cancelRequest(
  activity: Activity,
  id: string,
  viewer: Viewer,
  by: FastifyRequest,
  log: AuditLog,
): void {
  const found = activity.atWork().find((each) => each.id === id);
  if (found === undefined || !viewer.sees(found.admitted.key)) throw new ApiError("request_not_found");
  log.audit({
    act: "cancel-request",
    target: found.request.id,
    of_key: found.admitted.key,
    key: viewer.consumer.name,
    key_id: by.keyId,
    client: by.record.clientIp,
    request_id: by.id,
  });
  found.admitted.abort(new ApiError("request_cancelled"));
}
