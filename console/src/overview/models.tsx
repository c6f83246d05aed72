import type { LoadedModel, Overview } from "../../../gateway/src/admin/contract/overview.ts";
import { formatBytes, formatCount, formatShare, formatUntil, plural } from "../lib/format.ts";
import { Badge, Panel, Table } from "../ui/panel.tsx";

/** Installed models, and where they are loaded. */
export function Models({ now }: { readonly now: Overview }) {
  const { installed, loaded, omitted } = now.models;
  const isLoaded = new Set(loaded.map(({ name }) => name));
  const rows = installed.filter(({ name }) => !isLoaded.has(name));
  return (
    <Panel title="Models">
      {installed.length === 0 && loaded.length === 0 ? (
        <p class="muted">No models are installed.</p>
      ) : (
        <Table
          label="Models"
          columns={["Model", "State", "Memory", "Processor", "Context", "Unloads", "On disk"]}
        >
          {loaded.map((model) => (
            <tr key={`${model.name} ${model.backend ?? ""}`}>
              <th scope="row">
                <span class="long-name">{model.name}</span>
                {model.backend !== null && <span class="muted small-text block">{model.backend}</span>}
              </th>
              <td>
                <Badge tone="good">loaded</Badge>
              </td>
              <td>{model.size_bytes === null ? "-" : formatBytes(model.size_bytes)}</td>
              <td>{processorOf(model)}</td>
              <td>{model.context_tokens === null ? "-" : plural(model.context_tokens, "token")}</td>
              <td>{model.expires_at === null ? "-" : formatUntil(model.expires_at, Date.parse(now.at))}</td>
              <td>{sizeOf(now, model.name)}</td>
            </tr>
          ))}
          {rows.map(({ name, size_bytes: size }) => (
            <tr key={name}>
              <th scope="row">
                <span class="long-name">{name}</span>
              </th>
              <td>
                <Badge tone="neutral">installed</Badge>
              </td>
              <td>-</td>
              <td>-</td>
              <td>-</td>
              <td>-</td>
              <td>{formatBytes(size)}</td>
            </tr>
          ))}
        </Table>
      )}
      {omitted > 0 && <p class="muted small-text">{formatCount(omitted)} further models are not shown.</p>}
    </Panel>
  );
}

function processorOf({ gpu_share: share }: LoadedModel): string {
  if (share === null) return "-";
  if (share === 0) return "CPU";
  return share === 1 ? "GPU" : `${formatShare(share)} GPU`;
}

function sizeOf({ models }: Overview, name: string): string {
  const found = models.installed.find((model) => model.name === name);
  return found === undefined ? "-" : formatBytes(found.size_bytes);
}
