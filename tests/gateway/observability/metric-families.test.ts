import { Counter, Histogram, Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { CounterFamily, HistogramFamily } from "../../../gateway/src/observability/metric-families.ts";
import { randomly } from "../../../test-support/random-values.ts";

const LABELS: ("model" | "error")[] = ["model", "error"];
const BOUNDS = [0.01, 0.1, 1, 10];

/** The same announcement for ours and for prom-client's. */
function announced(name: string, labelNames = LABELS) {
  return { name, help: `What "${name}" is.\nAnd \\ more.`, labelNames };
}

// What text format has to quote, and what it has not.
const VALUES = ["", "m:latest", 'a "quoted" one', "back\\slash", "two\nlines", "ünï {x=1}", "1"];

describe("the exposition is prom-client's", () => {
  test.each([1, 2, 3, 4, 5])("whatever was counted and observed (seed %d)", async (seed) => {
    const random = randomly(seed);
    const [ours, theirs] = [new Registry(), new Registry()];
    const counters = new CounterFamily(announced("c_total"), ours);
    const histograms = new HistogramFamily(announced("h_seconds"), BOUNDS, ours);
    const counter = new Counter({ ...announced("c_total"), registers: [theirs] });
    const histogram = new Histogram({ ...announced("h_seconds"), buckets: BOUNDS, registers: [theirs] });
    for (let n = 0; n < 300; n += 1) {
      const labels = { model: random.pick(VALUES), error: random.pick(VALUES) };
      const amount = random.pick([1, 2, 0.5, 1e9]);
      counters.of(labels).add(amount);
      counter.inc(labels, amount);
      // On a bound, beside it, below the first and beyond the last.
      const value = random.pick([0, 0.01, 0.1, 0.1000001, 1, 9.99, 10, 10.01, 1e6, random.number()]);
      histograms.of(labels).observe(value);
      histogram.observe(labels, value);
    }
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test("without labels, and without an amount", async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    new CounterFamily(announced("c_total", []), ours).of({} as never).add();
    new HistogramFamily(announced("h_seconds", []), BOUNDS, ours).of({} as never).observe(3);
    new Counter({ ...announced("c_total", []), registers: [theirs] }).inc();
    new Histogram({ ...announced("h_seconds", []), buckets: BOUNDS, registers: [theirs] }).observe(3);
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });

  test("a series that was looked up and not counted in is not there", async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    new CounterFamily(announced("c_total"), ours).of({ model: "m", error: "" });
    new HistogramFamily(announced("h_seconds"), BOUNDS, ours).of({ model: "m", error: "" });
    const counter = new Counter({ ...announced("c_total"), registers: [theirs] });
    const histogram = new Histogram({ ...announced("h_seconds"), buckets: BOUNDS, registers: [theirs] });
    expect(counter).toBeDefined();
    expect(histogram).toBeDefined();
    expect(await ours.metrics()).toBe(await theirs.metrics());
  });
});

describe("the series of a combination of labels", () => {
  test("is one object, in whatever order the labels are named", () => {
    const counters = new CounterFamily(announced("c_total"), new Registry());
    const histograms = new HistogramFamily(announced("h_seconds"), BOUNDS, new Registry());
    for (const family of [counters, histograms]) {
      const one = family.of({ model: "m", error: "e" });
      expect(family.of({ error: "e", model: "m" })).toBe(one);
      expect(family.of({ model: "e", error: "m" })).not.toBe(one);
      expect(family.of({ model: "me", error: "" })).not.toBe(one);
    }
  });

  test("counts on for whoever keeps it", async () => {
    const registry = new Registry();
    const counters = new CounterFamily(announced("c_total"), registry);
    const kept = counters.of({ model: "m", error: "" });
    kept.add(2);
    counters.of({ model: "m", error: "" }).add(3);
    expect(kept.total).toBe(5);
    expect(await registry.metrics()).toContain('c_total{model="m",error=""} 5');
  });

  test("has as many buckets as there are bounds, and one without", () => {
    const series = new HistogramFamily(announced("h_seconds"), BOUNDS, new Registry()).of({
      model: "m",
      error: "",
    });
    for (const value of [0.005, 0.01, 0.5, 100, Number.POSITIVE_INFINITY]) series.observe(value);
    expect([...series.counts]).toEqual([2, 0, 1, 0, 2]);
  });
});
