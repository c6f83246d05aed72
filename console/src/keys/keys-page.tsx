import type { KeyUsage, Usage } from "../../../gateway/src/admin/contract/usage.ts";
import { formatCount, formatDuration, formatUntil } from "../lib/format.ts";
import { Badge, ErrorNote, Panel, Table, usePolled } from "../ui/panel.tsx";

const POLL_MS = 5000;

/** Usage and limits of each key. */
export function KeysPage() {
  const { data, error } = usePolled<Usage>("admin/usage", POLL_MS);
  return (
    <>
      <div class="page-head">
        <h1>Keys and usage</h1>
      </div>
      <ErrorNote message={error} />
      {data !== undefined && <UsageTable usage={data} />}
    </>
  );
}

function UsageTable({ usage }: { readonly usage: Usage }) {
  return (
    <>
      <p class="muted">
        Today is {usage.day}, the month {usage.month} (UTC).{" "}
        {!usage.persistent && "The counts are lost when the gateway restarts."}
      </p>
      <Table
        label="Usage by key"
        columns={["Key", "State", "Today", "This month", "Requests a minute", "Tokens a minute", "At once"]}
      >
        {usage.keys.map((each) => (
          <tr key={each.key ?? ""}>
            <th scope="row">
              {each.key ?? "all clients"}
              {each.key !== null && each.admin && <span class="tag">admin</span>}
            </th>
            <td>
              <State usage={each} at={usage.at} />
            </td>
            <td>
              <Period period={each.today} at={usage.at} />
            </td>
            <td>
              <Period period={each.this_month} at={usage.at} />
            </td>
            <td>
              <Rate rate={each.requests_per_minute} />
            </td>
            <td>
              <Rate rate={each.tokens_per_minute} />
            </td>
            <td class="number-cell">
              {formatCount(each.concurrent.used)}
              {each.concurrent.limit !== null && ` of ${formatCount(each.concurrent.limit)}`}
            </td>
          </tr>
        ))}
      </Table>
      <ByModel usage={usage} />
    </>
  );
}

function ByModel({ usage: { keys, month } }: { readonly usage: Usage }) {
  const rows = keys.flatMap(({ key, models }) => models.map((each) => ({ key, ...each })));
  if (rows.length === 0) return null;
  return (
    <Panel title={`By model in ${month}`}>
      <Table
        label="Usage by key and model"
        columns={["Key", "Model", "Requests", "Prompt tokens", "Generated tokens", "Load time"]}
      >
        {rows.map((row) => (
          <tr key={`${row.key ?? ""} ${row.model}`}>
            <th scope="row">{row.key ?? "all clients"}</th>
            <td>
              <span class="long-name">{row.model}</span>
            </td>
            <td class="number-cell">{formatCount(row.requests)}</td>
            <td class="number-cell">{formatCount(row.prompt_tokens)}</td>
            <td class="number-cell">{formatCount(row.generated_tokens)}</td>
            <td class="number-cell">{formatDuration(row.load_seconds * 1000)}</td>
          </tr>
        ))}
      </Table>
      {rows.some(({ model }) => model === "unknown") && (
        <p class="muted small-text">unknown: requests for models that Ollama has never responded with.</p>
      )}
    </Panel>
  );
}

function State({
  usage: { disabled, expires_at: expires },
  at,
}: {
  readonly usage: KeyUsage;
  readonly at: string;
}) {
  if (disabled) return <Badge tone="bad">disabled</Badge>;
  return (
    <>
      <Badge tone="good">active</Badge>
      {expires !== null && (
        <span class="muted small-text block">expires {formatUntil(expires, Date.parse(at))}</span>
      )}
    </>
  );
}

function Period({ period, at }: { readonly period: KeyUsage["today"]; readonly at: string }) {
  const { budget, budget_used: used } = period;
  const share = budget === null || budget === 0 ? undefined : Math.min(1, (used ?? 0) / budget);
  const counts = [
    ...countOf(period.requests, "requests"),
    ...countOf(period.prompt_tokens, "prompt tokens"),
    ...countOf(period.generated_tokens, "generated tokens"),
  ];
  return (
    <div class="period">
      {budget === null ? (
        <span class="muted">no budget</span>
      ) : (
        <span>
          <b>{formatCount(used ?? 0)}</b> of {formatCount(budget)} tokens
        </span>
      )}
      {share !== undefined && (
        <span class={share >= 0.9 ? "meter meter-full" : "meter"} aria-hidden="true">
          <span style={{ width: `${String(share * 100)}%` }} />
        </span>
      )}
      {counts.length > 0 && <span class="small-text">{counts.join(", ")}</span>}
      {budget !== null && (
        <span class="muted small-text">resets {formatUntil(period.resets_at, Date.parse(at))}</span>
      )}
    </div>
  );
}

function countOf(value: number | null, unit: string): string[] {
  return value === null ? [] : [`${formatCount(value)} ${unit}`];
}

function Rate({ rate }: { readonly rate: KeyUsage["requests_per_minute"] }) {
  if (rate === null) return <span class="muted">no limit</span>;
  return (
    <span class="number-cell">
      {formatCount(rate.left)} of {formatCount(rate.limit)} left
    </span>
  );
}
