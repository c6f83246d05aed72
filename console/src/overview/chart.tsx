import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { isDark } from "../ui/theme.ts";

export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** Unix time in seconds of each value. */
  readonly at: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
}

const HEIGHT = 160;
const COLOURS = ["--chart-1", "--chart-2", "--chart-3", "--chart-4", "--chart-5", "--chart-6"];

/** A line chart, with a text alternative for screen readers. */
export function Chart({ title, at, series, format }: ChartProps) {
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const data = [at, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData;
  const latest = useRef(data);
  latest.current = data;
  const names = series.map(({ name }) => name).join("\n");
  const dark = isDark();

  useEffect(() => {
    const element = container.current;
    if (element === null) return;
    const chart = new uPlot(
      optionsOf(names.split("\n"), format, element.clientWidth),
      latest.current,
      element,
    );
    plot.current = chart;
    const observer = new ResizeObserver(() => {
      chart.setSize({ width: element.clientWidth, height: HEIGHT });
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
      plot.current = undefined;
    };
  }, [names, dark, format]);
  useEffect(() => {
    plot.current?.setData(latest.current);
  }, [at]);

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <ul class="legend">
          {series.map(({ name, values }, index) => (
            <li key={name} class={`legend-${String((index % COLOURS.length) + 1)}`}>
              {name} <b>{formatLatest(values, format)}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={container} role="img" aria-label={describeChart(title, series, format)} />
    </figure>
  );
}

function formatLatest(values: Series["values"], format: ChartProps["format"]): string {
  const last = values.findLast((value) => value !== null);
  return typeof last === "number" ? format(last) : "-";
}

function describeChart(title: string, series: readonly Series[], format: ChartProps["format"]): string {
  const parts = series.map(({ name, values }) => {
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return `${name}: no data`;
    return `${name}: latest ${formatLatest(values, format)}, highest ${format(known.reduce((a, b) => Math.max(a, b), 0))}`;
  });
  return `${title}. ${parts.join("; ")}.`;
}

function optionsOf(names: readonly string[], format: ChartProps["format"], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => resolveColour(style.getPropertyValue(name));
  const axis: uPlot.Axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_plot, ticks) => timesOfDay(ticks) },
      { ...axis, size: 64, space: 36, values: (_plot, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      {},
      ...names.map((label, index) => {
        const stroke = colour(COLOURS[index % COLOURS.length] ?? "--chart-1");
        return { label, stroke, width: 1.5, points: { size: 4, fill: stroke }, spanGaps: false };
      }),
    ],
  };
}

/** Shows seconds if several ticks are in the same minute. */
function timesOfDay(ticks: readonly number[]): string[] {
  const isShort = (ticks.at(-1) ?? 0) - (ticks[0] ?? 0) < ticks.length * 60;
  return ticks.map((tick) =>
    new Date(tick * 1000).toLocaleTimeString("en-GB", { timeStyle: isShort ? "medium" : "short" }),
  );
}

/** Canvas does not support `light-dark()`; let the browser compute it on an element. */
function resolveColour(value: string): string {
  const probe = document.createElement("span");
  probe.style.color = value;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
