import {
  LegendDisplayMode,
  LegendPlacement,
  VizLegendOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  RowBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { type PanelDefinition, rows } from "./panels.ts";

/** Grafana prompts for the Prometheus data source when it imports the dashboard. */
const datasource = { type: "prometheus", uid: "${datasource}" };

// Of 24 columns.
const panelWidth = 8;
const panelHeight = 8;

/** The dashboard as Grafana imports it. */
export function dashboard(): string {
  // The newer form is for the newest Grafana only; this one is imported by all.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const builder = new DashboardBuilder("ollama-stack")
    .uid("ollama-stack")
    .description("Requests, queue, models and machine of a stack (docs/monitoring.md)")
    .tags(["ollama-stack"])
    .refresh("30s")
    .time({ from: "now-3h", to: "now" })
    .withVariable(new DatasourceVariableBuilder("datasource").label("Prometheus").type("prometheus"));
  for (const { title, panels } of rows) {
    builder.withRow(new RowBuilder(title));
    for (const definition of panels) builder.withPanel(panel(definition));
  }
  // Rows are given an id that is the same for all; Grafana numbers what has none.
  return JSON.stringify(builder.build(), (key, value: unknown) => (key === "id" ? undefined : value));
}

function panel({ title, unit, queries }: PanelDefinition): PanelBuilder {
  const builder = new PanelBuilder()
    .title(title)
    .unit(unit)
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .datasource(datasource)
    .span(panelWidth)
    .height(panelHeight);
  for (const { expr, legend } of queries) {
    builder.withTarget(new DataqueryBuilder().expr(expr).legendFormat(legend).datasource(datasource));
  }
  return builder;
}
