import { describe, expect, it } from "vitest";
import { describeRun } from "../../src/report/environment.js";
import { plotLookup } from "../../src/report/plots/lookup.js";
import { renderSvg } from "../../src/report/formats/svg.js";
import { makeRecord, SIZES } from "./record.js";

describe("the plot of the lookup study", () => {
  const record = makeRecord();
  record.runs[0]!.environment.cpu = "A <b> & C";

  it("is the same bytes for the same record, with the run in it", async () => {
    const [first, second] = [0, 1].map(() => renderSvg(plotLookup(record)!, describeRun(record)));
    const svg = await first!;
    expect(await second!).toBe(svg);
    expect(svg).toContain("seed: 1");
    expect(svg).toContain("--max-old-space-size=4096");
    expect(svg).toContain("A &lt;b&gt; &amp; C");
    expect(svg).not.toContain("<b>");
  });

  it("labels every line and every size, and draws an interval at every point", async () => {
    const svg = await renderSvg(plotLookup(record)!, describeRun(record));
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((match) => match[1]);
    for (const size of SIZES) expect(texts).toContain(size.toLocaleString("en-US"));
    const labels = texts.filter((text) => /^(first packet|established): /.test(text!));
    expect(labels).toHaveLength(6);
    const data = plotLookup(record)!.data as { values: { low: number; y: number; high: number }[] };
    expect(data.values).toHaveLength(6 * SIZES.length);
    for (const { low, y, high } of data.values) expect(low <= y && y <= high).toBe(true);
  });

  it("draws one size alone", async () => {
    const quick = makeRecord([10_000], 1);
    await expect(renderSvg(plotLookup(quick)!, describeRun(quick))).resolves.toContain("10,000");
  });
});
