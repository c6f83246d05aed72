import type { FinishedRequest } from "../../../gateway/src/admin/contract/requests.ts";
import { formatDuration } from "../lib/format.ts";

const phases = [
  ["queue_ms", "queue"],
  ["load_ms", "load"],
  ["prompt_ms", "prompt"],
  ["generate_ms", "generate"],
] as const;

/** Duration of each phase of a request, as a bar and as text. */
export function PhaseBar({ finished }: { readonly finished: FinishedRequest }) {
  const parts = phases.flatMap(([field, name]) => {
    const ms = finished.phases[field];
    return ms > 0 ? [{ name, ms }] : [];
  });
  const description = parts.map(({ name, ms }) => `${name} ${formatDuration(ms)}`).join(", ");
  return (
    <span
      class="phase-bar"
      role="img"
      aria-label={description === "" ? "no phases" : description}
      title={description}
    >
      {parts.map(({ name, ms }) => (
        <span key={name} class={`phase-${name}`} style={{ flexGrow: String(ms) }} />
      ))}
    </span>
  );
}

export function PhaseLegend() {
  return (
    <ul class="legend" aria-label="Phases">
      {phases.map(([, name]) => (
        <li key={name} class={`legend-${name}`}>
          {name}
        </li>
      ))}
    </ul>
  );
}
