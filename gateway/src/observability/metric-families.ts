import type { Metric, Registry } from "prom-client";
import { TupleMap } from "../lib/tuple-map.ts";

/** Name, help and labels of a metric. */
interface MetricOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
}

interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A metric for prom-client's registry whose series are held by those who update them. prom-client's own metrics look up
 * the labels on every update, which costs more than translating a response.
 */
abstract class MetricFamily<Label extends string, Series> {
  readonly name: string;
  readonly help: string;
  abstract readonly type: "counter" | "histogram";
  readonly aggregator = "sum";
  readonly #labelNames: readonly Label[];
  readonly #all: { readonly labels: Record<Label, string>; readonly series: Series }[] = [];
  readonly #byLabels = new TupleMap<Series>();

  constructor({ name, help, labelNames }: MetricOptions<Label>, registry: Registry) {
    this.name = name;
    this.help = help;
    this.#labelNames = labelNames;
    // The registry only uses these members, but its type requires a complete Metric.
    registry.registerMetric(this as unknown as Metric);
  }

  /** Returns the series for these labels. */
  of(labels: Record<Label, string>): Series {
    const key = this.#labelNames.map((name) => labels[name]);
    const known = this.#byLabels.get(key);
    if (known !== undefined) return known;
    const series = this.begin();
    this.#byLabels.set(key, series);
    this.#all.push({ labels, series });
    return series;
  }

  /** Called by the registry on each scrape. */
  get(): { name: string; help: string; type: string; aggregator: string; values: Sample[] } {
    const { name, help, type, aggregator } = this;
    const values = this.#all.flatMap(({ labels, series }) => this.samples(labels, series));
    return { name, help, type, aggregator, values };
  }

  protected abstract begin(): Series;
  /** Empty for a series without values. */
  protected abstract samples(labels: Record<Label, string>, series: Series): Sample[];
}

/** One series of a counter. */
class CounterSeries {
  total = 0;

  add(amount = 1): void {
    this.total += amount;
  }
}

export class CounterFamily<Label extends string> extends MetricFamily<Label, CounterSeries> {
  readonly type = "counter";

  protected begin(): CounterSeries {
    return new CounterSeries();
  }

  protected samples(labels: Record<Label, string>, { total }: CounterSeries): Sample[] {
    return total === 0 ? [] : [{ labels, value: total }];
  }
}

/** One series of a histogram. */
export class HistogramSeries {
  readonly bounds: readonly number[];
  /** Number of values per bucket, not cumulative; the last bucket is unbounded. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }
}

export class HistogramFamily<Label extends string> extends MetricFamily<Label, HistogramSeries> {
  readonly type = "histogram";
  readonly #bounds: readonly number[];

  constructor(options: MetricOptions<Label>, bounds: readonly number[], registry: Registry) {
    super(options, registry);
    this.#bounds = bounds;
  }

  protected begin(): HistogramSeries {
    return new HistogramSeries(this.#bounds);
  }

  protected samples(labels: Record<Label, string>, { bounds, counts, sum }: HistogramSeries): Sample[] {
    let below = 0;
    const buckets = [...counts].map((count, index): Sample => {
      below += count;
      return {
        metricName: `${this.name}_bucket`,
        labels: { le: bounds[index] ?? "+Inf", ...labels },
        value: below,
      };
    });
    if (below === 0) return [];
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: below },
    ];
  }
}
