import { useEffect } from "preact/hooks";
import type { Overview } from "../../../gateway/src/admin/contract/overview.ts";
import { connection, followEvents, overview } from "../api/live.ts";
import { formatCount } from "../lib/format.ts";
import { session } from "../session/session.ts";
import { Badge } from "../ui/panel.tsx";
import { Backends } from "./backends.tsx";
import { Charts } from "./charts.tsx";
import { InFlight } from "./in-flight.tsx";
import { Models } from "./models.tsx";

/** Current state and charts of the last hour. */
export function OverviewPage() {
  useEffect(() => followEvents(), []);
  const now = overview.value;
  return (
    <>
      <div class="page-head">
        <h1>Overview</h1>
        <LiveBadge />
      </div>
      {now === undefined ? (
        <p class="muted">Waiting for the gateway...</p>
      ) : (
        <>
          {now.draining && (
            <p class="banner warning-text" role="status">
              The gateway is about to stop. Requests in flight may continue; new ones are rejected.
            </p>
          )}
          <Numbers now={now} />
          <InFlight now={now} />
          <Charts />
          {session.value?.rights.admin === true && <Backends now={now} />}
          <Models now={now} />
        </>
      )}
    </>
  );
}

function LiveBadge() {
  const { isLive, error } = connection.value;
  return (
    <p role="status">
      {isLive ? (
        <Badge tone="good">live</Badge>
      ) : (
        <>
          <Badge tone={error === undefined ? "neutral" : "bad"}>
            {error === undefined ? "connecting" : "not live"}
          </Badge>{" "}
          {error !== undefined && <span class="muted small-text">{error}</span>}
        </>
      )}
    </p>
  );
}

function Numbers({ now }: { readonly now: Overview }) {
  const slots = now.backends.reduce((sum, { slots_limit: limit }) => sum + limit, 0);
  const available = now.backends.filter(({ state }) => state === "available").length;
  return (
    <dl class="numbers">
      {now.backends.length > 0 && (
        <NumberCard
          name="Servers available"
          value={`${formatCount(available)} of ${formatCount(now.backends.length)}`}
          isBad={available < now.backends.length}
        />
      )}
      <NumberCard
        name="Requests with a slot"
        value={
          slots === 0 ? formatCount(now.in_flight) : `${formatCount(now.in_flight)} of ${formatCount(slots)}`
        }
      />
      <NumberCard
        name="Requests in the queue"
        value={`${formatCount(now.queue.length)} of ${formatCount(now.queue.limit)}`}
        isBad={now.queue.length >= now.queue.limit}
      />
      <NumberCard
        name="Models loaded"
        value={formatCount(new Set(now.models.loaded.map(({ name }) => name)).size)}
      />
      <NumberCard name="Loads in progress" value={formatCount(now.loads)} />
    </dl>
  );
}

function NumberCard({
  name,
  value,
  isBad = false,
}: {
  readonly name: string;
  readonly value: string;
  readonly isBad?: boolean;
}) {
  return (
    <div class={isBad ? "number number-bad" : "number"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
