import type { FastifyInstance } from "fastify";
import packageJson from "../../package.json" with { type: "json" };
import type { AppContext } from "../app-context.ts";
import type { KeyStore } from "../auth/key-store.ts";
import type { UsageLedger } from "../auth/usage-ledger.ts";
import { describe } from "../openapi/operation.ts";
import type { Activity } from "./activity.ts";
import { cancelRequest } from "./cancel.ts";
import { Consoles } from "./consoles.ts";
import { health } from "./contract/health.ts";
import { history } from "./contract/history.ts";
import { overview } from "./contract/overview.ts";
import { cancelled, finishedRequests, finishedRequestsQuery } from "./contract/requests.ts";
import { type Session, session } from "./contract/session.ts";
import { usage } from "./contract/usage.ts";
import { healthOf } from "./health.ts";
import { overviewOf } from "./overview.ts";
import { readFilter } from "./read-filter.ts";
import { requireSameSite } from "./same-site.ts";
import { usageOf } from "./usage.ts";
import { Viewer } from "./viewer.ts";

interface AdminOptions {
  readonly gateway: AppContext;
  readonly keys: KeyStore;
  /** Usage that counts against budgets. */
  readonly ledger: UsageLedger;
  readonly activity: Activity;
}

const described = {
  session: describe({
    summary: "The caller's identity and permissions in the admin API.",
    response: session,
  }),
  overview: describe({
    summary:
      "Current servers, models, queue and requests in flight. A key without the admin flag sees only its own requests.",
    response: overview,
  }),
  events: describe({
    summary:
      "The same as server-sent events: `overview` on a change, at most once a second; `request` for each finished " +
      "request; `skipped` with the number of those without an event. At most 32 streams, 24 of them for keys without " +
      "the admin flag, and 8 for each of those.",
    response: "text/event-stream",
  }),
  history: describe({
    summary: "History of the last hour over all keys, with one point per five seconds.",
    response: history,
  }),
  requests: describe({
    summary:
      "The last 500 finished POST requests, newest first. A key without the admin flag sees only its own.",
    query: finishedRequestsQuery,
    response: finishedRequests,
  }),
  cancel: describe({
    summary:
      "Cancels a queued or running request. Requires a key with the admin flag, or the key that sent the request.",
    response: cancelled,
    isLookup: true,
  }),
  usage: describe({
    summary: "Usage of keys today and this month. A key without the admin flag sees only its own.",
    response: usage,
  }),
  health: describe({
    summary: "Health checks with findings and advice.",
    response: health,
  }),
};

/** The admin API, used by the console and `npm run status`. */
export function adminRoutes(root: FastifyInstance, { gateway, keys, ledger, activity }: AdminOptions): void {
  const { config, log } = gateway;
  const overviewFor = (viewer: Viewer) => overviewOf(gateway, activity, viewer);
  const consoles = new Consoles({
    overviewFor,
    finished: activity.finished,
    keys,
    slowReaderTimeoutMs: config.SLOW_READER_TIMEOUT_MS,
  });
  void root.register((app, _options, registered) => {
    app.addHook("onRequest", (request, reply, done) => {
      void reply.header("cache-control", "no-store");
      requireSameSite(request);
      done();
    });
    app.addHook("preClose", (done) => {
      consoles.close();
      done();
    });

    app.get("/admin/session", described.session, (request): Session => {
      const viewer = new Viewer(request, keys);
      return {
        keys_configured: !keys.isEmpty,
        key: viewer.consumer.name || null,
        rights: { admin: viewer.admin },
        version: packageJson.version,
        log_text: config.LOG_TEXT === "on",
        started_at: new Date(performance.timeOrigin).toISOString(),
        now: new Date().toISOString(),
      };
    });
    app.get("/admin/overview", described.overview, (request) => overviewFor(new Viewer(request, keys)));
    app.get("/admin/events", { ...described.events, exposeHeadRoute: false }, (request, reply) => {
      consoles.open(request, reply, new Viewer(request, keys));
    });
    app.get("/admin/history", described.history, (request) =>
      activity.history.show(new Viewer(request, keys)),
    );
    app.get("/admin/requests", described.requests, (request) => {
      const viewer = new Viewer(request, keys);
      const filter = readFilter(request.query);
      return { requests: activity.finished.list(viewer, filter), kept: activity.finished.countFor(viewer) };
    });
    app.post<{ Params: { id: string } }>("/admin/requests/:id/cancel", described.cancel, (request) => {
      const { id } = request.params;
      cancelRequest(activity, id, new Viewer(request, keys), request, log);
      return { id, cancelled: true };
    });
    app.get("/admin/usage", described.usage, (request) => {
      const { isPersistent } = ledger;
      return usageOf({ keys, store: gateway.usage, isPersistent }, new Viewer(request, keys));
    });
    app.get("/admin/health", described.health, (request) =>
      healthOf({ gateway, keys, ledger, usage: gateway.usage }, new Viewer(request, keys)),
    );
    registered();
  });
}
