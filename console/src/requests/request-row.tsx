import { useId, useState } from "preact/hooks";
import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { formatCount, formatDuration, formatRate, formatTime } from "../lib/format.ts";
import { memo } from "../ui/memo.ts";
import { Icon } from "../ui/icons.tsx";
import { Badge } from "../ui/panel.tsx";
import { toneOf } from "./outcome.ts";
import { PhaseBar } from "./phase-bar.tsx";

interface RowProps {
  readonly finished: FinishedRequest;
  readonly columns: readonly string[];
}

/** A finished request, expandable to show all details. */
export const RequestRow = memo(({ finished, columns }: RowProps) => {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  const ended = new Date(Date.parse(finished.started_at) + finished.total_ms).toISOString();
  return (
    <>
      <tr>
        <td class="toggle-cell">
          <button
            type="button"
            class="quiet icon-button"
            aria-expanded={isOpen}
            aria-controls={id}
            aria-label={`Details of request ${finished.request_id}`}
            onClick={() => {
              setOpen(!isOpen);
            }}
          >
            <Icon name="chevron" />
          </button>
        </td>
        <td class="number-cell">{formatTime(ended)}</td>
        <td>
          <Badge tone={toneOf(finished)}>{finished.error?.code ?? String(finished.status)}</Badge>
        </td>
        {columns.includes("Key") && <td>{finished.key ?? "-"}</td>}
        <td>
          <span class="long-name" title={finished.model ?? undefined}>
            {finished.model ?? "-"}
          </span>
        </td>
        <td>
          <code>{finished.route}</code>
        </td>
        <td>
          <PhaseBar finished={finished} />
        </td>
        <td class="number-cell">{formatDuration(finished.total_ms)}</td>
        <td class="number-cell">
          {finished.first_token_ms === null ? "-" : formatDuration(finished.first_token_ms)}
        </td>
        <td class="number-cell">
          {finished.generated_tokens === null ? "-" : formatCount(finished.generated_tokens)}
        </td>
      </tr>
      <tr id={id} hidden={!isOpen} class="details-row">
        {isOpen && (
          <td colSpan={columns.length}>
            <div class="details">
              <Details finished={finished} />
            </div>
          </td>
        )}
      </tr>
    </>
  );
});

function Details({ finished }: { readonly finished: FinishedRequest }) {
  const { error, text, phases } = finished;
  const rate = finished.tokens_per_second;
  const facts: (readonly [string, string | null])[] = [
    ["Model", finished.model],
    ["Request", finished.request_id],
    ["Trace", finished.trace_id],
    ["Started", formatTime(finished.started_at)],
    ["Status", String(finished.status)],
    ["Server", finished.backend],
    ["Response", finished.stream === null ? null : finished.stream ? "streamed" : "buffered"],
    ["Queue", formatDuration(phases.queue_ms)],
    ["Load", formatDuration(phases.load_ms)],
    ["Prompt", formatDuration(phases.prompt_ms)],
    ["Generate", formatDuration(phases.generate_ms)],
    ["Prompt tokens", finished.prompt_tokens === null ? null : formatCount(finished.prompt_tokens)],
    ["Speed", rate === null ? null : formatRate(rate)],
  ];
  return (
    <>
      {error !== null && (
        <p class="error-text">
          <b>{error.code}</b>: {error.message}
          {error.param !== null && ` (parameter ${error.param})`}
          {error.message_hidden && (
            <span class="muted small-text block">
              This is the general message of the error. The client received a more specific one, which may
              quote its request.
            </span>
          )}
        </p>
      )}
      <dl class="facts">
        {facts.map(
          ([name, value]) =>
            value !== null && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {text !== null && (
        <>
          {text.cut && <p class="muted small-text">The texts are truncated.</p>}
          <h3>Prompt</h3>
          <pre class="code" tabIndex={0} role="region" aria-label="Prompt">
            {text.prompt}
          </pre>
          <h3>Response</h3>
          <pre class="code" tabIndex={0} role="region" aria-label="Response">
            {text.response}
          </pre>
        </>
      )}
    </>
  );
}
