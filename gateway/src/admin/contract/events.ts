import * as z from "zod";
import { count } from "./common.ts";
import { overview } from "./overview.ts";
import { finishedRequest } from "./requests.ts";

/** Event data of `GET /admin/events`, by event name. */
export const events = {
  overview,
  request: finishedRequest,
  /** Finished requests without an event of their own, because too many ended at once. */
  skipped: () => z.object({ requests: count }),
};

/** Interval of keep-alive comments. */
export const heartbeatSeconds = 15;
