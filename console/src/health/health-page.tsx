import type { Finding, Health } from "../../../gateway/src/admin/contract/health.ts";
import { formatBytes, formatDuration } from "../lib/format.ts";
import { Badge, ErrorNote, Panel, type Tone, usePolled } from "../ui/panel.tsx";

const POLL_MS = 5000;

const tones: Readonly<Record<Finding["level"], Tone>> = {
  ok: "good",
  warning: "warning",
  error: "bad",
};

const ORDER: readonly Finding["level"][] = ["error", "warning", "ok"];

/** Lists known problems and their solutions. */
export function HealthPage() {
  const { data, error } = usePolled<Health>("admin/health", POLL_MS);
  return (
    <>
      <div class="page-head">
        <h1>Health</h1>
        {data !== undefined && <Badge tone={tones[data.level]}>{data.level}</Badge>}
      </div>
      <ErrorNote message={error} />
      {data !== undefined && (
        <>
          <Gateway health={data} />
          <Findings findings={data.findings} />
        </>
      )}
    </>
  );
}

function Gateway({ health: { gateway } }: { readonly health: Health }) {
  const { memory_bytes: memory, memory_limit_bytes: limit } = gateway;
  return (
    <dl class="numbers">
      <Fact name="Version" value={gateway.version} />
      <Fact name="Running for" value={formatDuration(gateway.uptime_seconds * 1000)} />
      <Fact
        name="Memory"
        value={limit === null ? formatBytes(memory) : `${formatBytes(memory)} of ${formatBytes(limit)}`}
      />
    </dl>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div class="number">
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Findings({ findings }: { readonly findings: readonly Finding[] }) {
  const sorted = findings.toSorted((one, other) => ORDER.indexOf(one.level) - ORDER.indexOf(other.level));
  return (
    <Panel title="Checks">
      <ul class="findings">
        {sorted.map(({ check, level, subject, message, advice }) => (
          <li key={`${check} ${subject ?? ""} ${message}`}>
            <Badge tone={tones[level]}>{level}</Badge>
            <div>
              <p>
                <b>{check.replaceAll("_", " ")}</b>
                {subject !== null && <span class="muted"> {subject}</span>}
              </p>
              <p>{message}</p>
              {advice !== null && <p class="muted">{advice}</p>}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
