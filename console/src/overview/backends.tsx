import type { BackendState, Overview } from "../../../gateway/src/admin/contract/overview.ts";
import { formatDuration } from "../lib/format.ts";
import { Badge, Panel, Table, type Tone } from "../ui/panel.tsx";

const states: Readonly<Record<BackendState["state"], readonly [Tone, string]>> = {
  available: ["good", "available"],
  unreachable: ["bad", "unreachable"],
  draining: ["warning", "draining"],
  circuit_open: ["warning", "circuit open"],
};

export function Backends({ now }: { readonly now: Overview }) {
  return (
    <Panel title="Servers">
      <Table label="Ollama servers" columns={["Server", "State", "Probe", "Slots", "Loading"]}>
        {now.backends.map(
          ({ name, state, probe_ms: probe, slots_used: used, slots_limit: limit, loading }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <Badge tone={states[state][0]}>{states[state][1]}</Badge>
              </td>
              <td>{probe === null ? "-" : formatDuration(probe)}</td>
              <td>
                <Meter value={used} limit={limit} />
              </td>
              <td>{loading.length === 0 ? "-" : loading.join(", ")}</td>
            </tr>
          ),
        )}
      </Table>
    </Panel>
  );
}

function Meter({ value, limit }: { readonly value: number; readonly limit: number }) {
  const label = `${String(value)} of ${String(limit)}`;
  return (
    <span class="meter-cell">
      <span class="meter" aria-hidden="true">
        <span style={{ width: `${String(limit === 0 ? 0 : Math.min(100, (value / limit) * 100))}%` }} />
      </span>
      {label}
    </span>
  );
}
