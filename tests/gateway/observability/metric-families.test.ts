import { Counter, Histogram, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { CounterFamily, HistogramFamily } from "../../../gateway/src/observability/metric-families.ts";
import { randomly } from "../../../test-support/random-values.ts";

const LABELS: ("model" | "error")[] = ["model", "error"];
const BOUNDS = [0.01, 0.1, 1, 10];

/** The same options for our families and for prom-client's. */
function metricOptions(name: string, labelNames = LABELS) {
  return { name, help: `What "${name}" is.\nAnd \\ more.`, labelNames };
}

// Values that the text format has to escape, and some that it does not.
const VALUES = ["", "m:latest", 'a "quoted" one', "back\\slash", "two\nlines", "ünï {x=1}", "1"];

describe("the exposition equals prom-client's", () => {
  test.each([1, 2, 3, 4, 5])("for random counts and observations (seed %d)", async (seed) => {
    const random = randomly(seed);
    const [ours, theirs] = [new Registry(), new Registry()];
    const counters = new CounterFamily(metricOptions("c_total"), ours);
    const histograms = new HistogramFamily(metricOptions("h_seconds"), BOUNDS, ours);
    const counter = new Counter({ ...metricOptions("c_total"), registers: [theirs] });
    const histogram = new Histogram({ ...metricOptions("h_seconds"), buckets: BOUNDS, registers: [theirs] });
    for (let n = 0; n < 300; n += 1) {
      const labels = { model: random.pick(VALUES), error: random.pick(VALUES) };
      const amount = random.pick([1, 2, 0.5, 1e9]);
      counters.of(labels).add(amount);
      counter.inc(labels, amount);
      // On a bound, next to one, below the first and above the last.
      const value = random.pick([0, 0.01, 0.1, 0.1000001, 1, 9.99, 10, 10.01, 1e6, random.number()]);
      histograms.of(labels).observe(value);
      histogram.observe(labels, value);
    }
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test("for metrics without labels and counts without an amount", async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    new CounterFamily(metricOptions("c_total", []), ours).of({} as never).add();
    new HistogramFamily(metricOptions("h_seconds", []), BOUNDS, ours).of({} as never).observe(3);
    new Counter({ ...metricOptions("c_total", []), registers: [theirs] }).inc();
    new Histogram({ ...metricOptions("h_seconds", []), buckets: BOUNDS, registers: [theirs] }).observe(3);
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test("for series that were looked up but never used", async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    new CounterFamily(metricOptions("c_total"), ours).of({ model: "m", error: "" });
    new HistogramFamily(metricOptions("h_seconds"), BOUNDS, ours).of({ model: "m", error: "" });
    new Counter({ ...metricOptions("c_total"), registers: [theirs] });
    new Histogram({ ...metricOptions("h_seconds"), buckets: BOUNDS, registers: [theirs] });
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });
});

describe("the series for a combination of labels", () => {
  test("is the same object in any order of the labels", () => {
    const counters = new CounterFamily(metricOptions("c_total"), new Registry());
    const histograms = new HistogramFamily(metricOptions("h_seconds"), BOUNDS, new Registry());
    for (const family of [counters, histograms]) {
      const one = family.of({ model: "m", error: "e" });
      expect(family.of({ error: "e", model: "m" })).toBe(one);
      expect(family.of({ model: "e", error: "m" })).not.toBe(one);
      expect(family.of({ model: "me", error: "" })).not.toBe(one);
    }
  });

  test("shares its count with earlier references", async () => {
    const registry = new Registry();
    const counters = new CounterFamily(metricOptions("c_total"), registry);
    const kept = counters.of({ model: "m", error: "" });
    kept.add(2);
    counters.of({ model: "m", error: "" }).add(3);
    expect(kept.total).toBe(5);
    expect(await registry.metrics()).toContain('c_total{model="m",error=""} 5');
  });

  test("has one bucket per bound plus one for infinity", () => {
    const series = new HistogramFamily(metricOptions("h_seconds"), BOUNDS, new Registry()).of({
      model: "m",
      error: "",
    });
    for (const value of [0.005, 0.01, 0.5, 100, Number.POSITIVE_INFINITY]) series.observe(value);
    expect([...series.counts]).toEqual([2, 0, 1, 0, 2]);
  });
});
