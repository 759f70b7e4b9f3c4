import { describe, expect, it } from "vitest";
import { drawFiles, PAGE } from "../../src/report/files.js";
import { escapeHtml, escapeLatex, escapeMarkdown } from "../../src/report/formats/escape.js";
import type { Measurement } from "../../src/report/measurement.js";
import { makeRecord } from "./record.js";

const HOSTILE = `<script>alert(1)</script>"'&<img src=x onerror=alert(2)>|\`*_#\\input{/etc/passwd}%$~^\u0007\u202egnp.exe\n\r\n=cmd()\ud800`;

/** A record in which everything that can be text is what somebody evil would write. */
function hostileRecord(): Measurement {
  const record = makeRecord([100, 1000]);
  const { environment } = record.runs[0]!;
  return {
    ...record,
    runs: [
      {
        ...record.runs[0]!,
        command: ["npm", "run", HOSTILE],
        started: HOSTILE,
        environment: {
          ...environment,
          chainwalk: HOSTILE,
          git: HOSTILE,
          node: HOSTILE,
          v8: HOSTILE,
          cpu: HOSTILE,
          kernel: HOSTILE,
          platform: HOSTILE,
          nodeFlags: [HOSTILE],
          compiler: HOSTILE,
          tinybench: HOSTILE,
          benchmarkJs: HOSTILE,
        },
      },
    ],
    datasets: record.datasets.map((one) => ({ ...one, name: HOSTILE, command: HOSTILE })),
    cases: record.cases.map((one) =>
      one.factors.engine === "string-map"
        ? { ...one, factors: { ...one.factors, engine: HOSTILE, change: HOSTILE }, per: HOSTILE }
        : one,
    ),
    picks: record.picks.map((one) => ({ ...one, factors: { ...one.factors, engine: HOSTILE } })),
    notes: [HOSTILE],
  };
}

describe.each(["lookup", "distribution", "of-others"])("a hostile record of the study %s", (study) => {
  const drawn = drawFiles([{ ...hostileRecord(), study }]);

  it("gives a page without a tag, attribute or address of its own", async () => {
    const page = (await drawn).get(PAGE)!;
    expect(page).not.toMatch(/<script|<img src=x|onerror=[^&]*alert\(2\)>/);
    const tags = new Set([...page.matchAll(/<([a-z0-9]+)/g)].map((match) => match[1]));
    const known =
      "html head meta title style body h1 h2 h3 nav a section p figure img figcaption pre div table thead tbody tr th td br strong code";
    for (const tag of tags) expect(known.split(" ")).toContain(tag);
    for (const [, url] of page.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(url).toMatch(/^(data:image\/svg\+xml;base64,|#[a-z-]+$)/);
  });

  it("gives pictures without scripts, and no character that XML cannot hold", async () => {
    for (const [name, text] of await drawn) {
      if (!name.endsWith(".svg")) continue;
      expect(text).not.toMatch(/<script|<img|<foreignObject/);
      expect(text).not.toMatch(/[^\P{Cc}\n\r\t]|\u202e/u);
    }
  });

  it("gives LaTeX without a command of its own", async () => {
    const commands = new Set(
      [
        ...(await drawn)
          .get(`${study}.tex`)!
          .replace(/^%.*$/gm, "")
          .matchAll(/\\[a-zA-Z]+/g),
      ].map(String),
    );
    const known =
      "begin end centering caption label toprule midrule bottomrule textbackslash textasciicircum textasciitilde textless textgreater textbar textquotedbl pm";
    for (const command of commands) expect(known.split(" ")).toContain(command.slice(1));
  });

  it("gives Markdown without HTML", async () => {
    expect((await drawn).get(`${study}.md`)).not.toMatch(/<[a-z]/i);
  });
});

it.each([
  ["a|b", "a\\|b"],
  ["# no\nheading", "\\# no heading"],
  ["<b>&", "&lt;b&gt;&amp;"],
])("escapeMarkdown(%j) shows as it is", (text, expected) => {
  expect(escapeMarkdown(text)).toBe(expected);
});

it("escapes what each format must", () => {
  expect(escapeHtml(`<a href="x" b='y'>&`)).toBe("&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
  expect(escapeLatex("50 % of $x_1 ±2")).toBe("50 \\% of \\$x\\_1 $\\pm$2");
});
