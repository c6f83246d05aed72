import * as z from "zod";
import { count } from "./common.ts";
import { overview } from "./overview.ts";
import { finishedRequest } from "./requests.ts";

/** The data of each kind of event of `GET /admin/events`, by its name. */
export const events = {
  overview,
  request: finishedRequest,
  /** Finished requests that have no event of their own, because more ended at once than a page can show. */
  skipped: z.object({ requests: count }),
};

/** Seconds between two comments, which show that a stream with no events lives. */
export const heartbeatSeconds = 15;
