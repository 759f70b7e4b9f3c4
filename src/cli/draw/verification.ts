/** What a proof found, as text and as JSON: the chains, the share of the space, and the packet that shows a difference. */
import picocolors from "picocolors";
import type { Counterexample } from "../../engine/verify/counterexample.js";
import type { Verification } from "../../engine/verify/verify.js";
import type { Trace } from "../../engine/types.js";
import { drawTable, formatCount } from "../../report/table.js";
import type { RuleFormat } from "../../syntax/read.js";
import { jsonTrace } from "../commands/trace.js";
import { drawTrace, type TraceTitle } from "./trace.js";

export function drawVerification(found: Verification, format: RuleFormat, colors: boolean): string {
  const { chains, services, classes, witnesses, counterexample, reason } = found;
  const lines = drawTable(
    [
      { title: "chain", align: "left" },
      { title: "classes", align: "right" },
      { title: "", align: "left" },
    ],
    chains.map(({ table, chain, classes: own, complete }) => [
      `${table} ${chain}`,
      formatCount(own),
      complete ? "" : "not to the end",
    ]),
  );
  const sum = [
    `${formatCount(classes)} classes of packets, ${formatCount(services.compared)} of ${formatCount(services.rows)} rows of the service map, ${formatCount(witnesses)} packets run besides`,
    `share of the header space covered: ${shareText(found)}`,
    verdictText(found),
  ];
  const shown = counterexample === undefined ? [] : ["", ...drawCounterexample(counterexample, format, colors)];
  const why = reason === undefined ? [] : [`because ${reason}`];
  return [...lines, "", ...sum, ...why, ...shown].map((line) => `${line.trimEnd()}\n`).join("");
}

function verdictText({ equal, counterexample }: Verification): string {
  if (equal) return "equal: compiled does with every packet what linear does";
  return counterexample === undefined
    ? "not proved equal"
    : "not equal: here is a packet that the two treat in different ways";
}

function shareText({ share }: Verification): string {
  return share === 1 ? "1" : share.toFixed(4);
}

function drawCounterexample(found: Counterexample, format: RuleFormat, colored: boolean): string[] {
  const colors = picocolors.createColors(colored);
  const { packet, context, distributions, draw } = found;
  const parts = (["linear", "indexed"] as const).flatMap((engine) => {
    const trace = found[engine];
    const title: TraceTitle = { packet, engine, connectionState: context.connection.state, format };
    const body = typeof trace === "string" ? `${engine} refuses: ${trace}\n` : drawTrace(trace, title, colors);
    return [...body.trimEnd().split("\n"), ""];
  });
  if (draw !== undefined) parts.push(`with the draw ${draw} of 2^32`);
  if (distributions !== undefined)
    for (const engine of ["linear", "indexed"] as const)
      parts.push(`probabilities, ${engine}:`, ...distributions[engine].split("\n").map((line) => `  ${line}`));
  return parts;
}

/** The schema of `--json`. */
export function jsonVerification(found: Verification, format: RuleFormat): object {
  const { equal, share, classes, chains, services, witnesses, reason, counterexample } = found;
  return {
    equal,
    share,
    classes,
    chains,
    services,
    witnesses,
    reason: reason ?? null,
    counterexample: counterexample === undefined ? null : jsonCounterexample(counterexample, format),
  };
}

function jsonCounterexample(
  { packet, context, linear, indexed, distributions, draw }: Counterexample,
  format: RuleFormat,
): object {
  const one = (trace: Trace | string, engine: string): object =>
    typeof trace === "string"
      ? { refused: trace }
      : jsonTrace(trace, { packet, engine, connectionState: context.connection.state, format });
  return {
    packet,
    connection: context.connection,
    linear: one(linear, "linear"),
    indexed: one(indexed, "indexed"),
    distributions: distributions ?? null,
    draw: draw ?? null,
  };
}
