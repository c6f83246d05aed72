import { useState } from "preact/hooks";
import type { Overview, RequestInFlight } from "../../../gateway/src/admin/contract/overview.ts";
import { messageOf, request } from "../api/request.ts";
import { formatAge, formatCount } from "../lib/format.ts";
import { session } from "../session/session.ts";
import { Badge, ErrorNote, Panel, Table, type Tone } from "../ui/panel.tsx";

const tones: Readonly<Record<RequestInFlight["phase"], Tone>> = {
  queued: "warning",
  loading: "warning",
  prompt: "neutral",
  generating: "good",
};

/** Queued and running requests, with a button to cancel them. */
export function InFlight({ now }: { readonly now: Overview }) {
  const [error, setError] = useState<string>();
  const [cancelling, setCancelling] = useState<ReadonlySet<string>>(new Set());
  const cancel = async ({ id }: RequestInFlight) => {
    setError(undefined);
    setCancelling((before) => new Set([...before, id]));
    try {
      await request(`admin/requests/${encodeURIComponent(id)}/cancel`, { method: "POST" });
    } catch (thrown) {
      setError(messageOf(thrown));
      setCancelling((before) => new Set([...before].filter((each) => each !== id)));
    }
  };
  const { requests, requests_omitted: omitted } = now;
  const hasBackends = requests.some(({ backend }) => backend !== null);
  const hasKeys = session.value?.keys_configured === true;
  const columns = [
    "Age",
    "Phase",
    ...(hasKeys ? ["Key"] : []),
    "Model",
    "Route",
    ...(hasBackends ? ["Server"] : []),
    "Tokens",
    "",
  ];
  return (
    <Panel title="Requests in flight" aside={<Waiting now={now} />}>
      <ErrorNote message={error} />
      {requests.length === 0 ? (
        <p class="muted">No request is waiting or running.</p>
      ) : (
        <Table label="Requests in flight" columns={columns} isBounded>
          {requests.map((each) => (
            <tr key={each.id}>
              <td class="number-cell">{formatAge(each.age_ms)}</td>
              <td>
                <Badge tone={tones[each.phase]}>{each.phase}</Badge>
              </td>
              {hasKeys && <td>{each.key ?? "-"}</td>}
              <td>
                <span class="long-name">{each.model ?? "-"}</span>
              </td>
              <td>
                <code>{each.route}</code>
              </td>
              {hasBackends && <td>{each.backend ?? "-"}</td>}
              <td class="number-cell">
                {formatCount(each.generated_tokens)}
                {each.prompt_tokens !== null && (
                  <span class="muted small-text block">prompt {formatCount(each.prompt_tokens)}</span>
                )}
              </td>
              <td>
                {each.can_cancel && (
                  <button
                    type="button"
                    class="small"
                    disabled={cancelling.has(each.id)}
                    aria-label={`Cancel request ${each.request_id}`}
                    onClick={() => void cancel(each)}
                  >
                    {cancelling.has(each.id) ? "Cancelling" : "Cancel"}
                  </button>
                )}
              </td>
            </tr>
          ))}
        </Table>
      )}
      {omitted > 0 && <p class="muted small-text">{formatCount(omitted)} further requests are not shown.</p>}
    </Panel>
  );
}

/** Number of queued requests by key. */
function Waiting({ now: { queue } }: { readonly now: Overview }) {
  const waiting = queue.waiting.filter(({ key }) => key !== null);
  if (waiting.length === 0) return null;
  return (
    <p class="muted small-text">
      Waiting: {waiting.map(({ key, requests }) => `${key ?? ""} ${formatCount(requests)}`).join(", ")}
    </p>
  );
}
