import type { History } from "../../../gateway/src/admin/contract/history.ts";
import { formatBytes, formatCount, formatDuration, formatTime } from "../lib/format.ts";
import { ErrorNote, Panel, Table, usePolled } from "../ui/panel.tsx";
import { Chart, type Series } from "./chart.tsx";

const POLL_MS = 5000;

const plain = (value: number): string => formatCount(Math.round(value * 10) / 10);

/** Charts of the last hour. */
export function Charts() {
  const { data, error } = usePolled<History>("admin/history", POLL_MS);
  return (
    <Panel title="The last hour">
      <ErrorNote message={error} />
      {data !== undefined && (
        <>
          <div class="charts">
            {chartsOf(data).map(({ title, series, format }) => (
              <Chart key={title} title={title} at={data.at} series={series} format={format} />
            ))}
          </div>
          <Loads history={data} />
        </>
      )}
    </Panel>
  );
}

interface ChartData {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

function chartsOf(history: History): readonly ChartData[] {
  const every = `every ${String(history.interval_seconds)} s`;
  const errors = Object.entries(history.errors).filter(([, counts]) => counts.some((count) => count > 0));
  return [
    {
      title: `Requests ${every}`,
      series: [{ name: "ended", values: history.requests }],
      format: plain,
    },
    {
      title: `Errors ${every}`,
      series:
        errors.length === 0
          ? [{ name: "errors", values: history.requests.map(() => 0) }]
          : errors.map(([kind, values]) => ({ name: kind.replaceAll("_", " "), values })),
      format: plain,
    },
    {
      title: "Requests now",
      series: [
        { name: "with a slot", values: history.in_flight },
        { name: "in the queue", values: history.queued },
      ],
      format: plain,
    },
    {
      title: "Tokens per second",
      series: [
        { name: "generated", values: history.generated_tokens_per_second },
        { name: "prompt", values: history.prompt_tokens_per_second },
      ],
      format: plain,
    },
    {
      title: "Time to first token",
      series: [
        { name: "median", values: history.first_token_p50_ms },
        { name: "95th percentile", values: history.first_token_p95_ms },
      ],
      format: formatDuration,
    },
    {
      title: "Wait in the queue",
      series: [
        { name: "median", values: history.queue_p50_ms },
        { name: "95th percentile", values: history.queue_p95_ms },
      ],
      format: formatDuration,
    },
    {
      title: `Model loads ${every}`,
      series: [{ name: "ended", values: history.loads }],
      format: plain,
    },
    {
      title: "Memory of the gateway",
      series: [{ name: "resident", values: history.memory_bytes }],
      format: formatBytes,
    },
  ];
}

const SHOWN_LOADS = 8;

function Loads({ history: { load_events: events } }: { readonly history: History }) {
  if (events.length === 0) return null;
  return (
    <>
      <h3>Model loads</h3>
      <Table label="Model loads" columns={["Ended", "Model", "Server", "Duration", "Result"]}>
        {events
          .slice(-SHOWN_LOADS)
          .reverse()
          .map(({ at, model, backend, milliseconds, error }) => (
            <tr key={`${at} ${model} ${backend ?? ""}`}>
              <td>{formatTime(at)}</td>
              <th scope="row">
                <span class="long-name">{model}</span>
              </th>
              <td>{backend ?? "-"}</td>
              <td>{formatDuration(milliseconds)}</td>
              <td>{error ?? "loaded"}</td>
            </tr>
          ))}
      </Table>
    </>
  );
}
