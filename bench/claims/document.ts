/** The claims as a table, and why some were not tested. */
import { type Document, type Section } from "../../src/index.js";
import { commandOf, formatTolerance, type Judged } from "./judge.js";
import type { Claim } from "./read.js";

export interface JudgedClaim {
  readonly claim: Claim;
  readonly judged: Judged;
}

/** The report of a run over all claims, in the order of the file. */
export function documentClaims(rows: readonly JudgedClaim[], quick: boolean): Document {
  const count = (outcome: Judged["outcome"]): number => rows.filter(({ judged }) => judged.outcome === outcome).length;
  const untested = rows.filter(({ judged }) => judged.outcome === "not tested");
  return {
    study: "claims",
    title: `Claims of the README${quick ? ", quick" : ""}: ${count("pass")} pass, ${count("fail")} fail, ${count("not tested")} not tested`,
    remarks: [],
    sections: [
      { title: "", table: { columns: COLUMNS, rows: rows.map(rowOf) } },
      listOf(
        "What each says, and its command",
        rows.map(({ claim }) => [claim.id, `${claim.says}: ${wayOf(claim, quick)}`]),
      ),
      ...(untested.length === 0
        ? []
        : [
            listOf(
              "Why not tested",
              untested.map(({ claim, judged }) => [claim.id, judged.measured]),
            ),
          ]),
    ],
    figures: [],
  };
}

const COLUMNS = (["outcome", "claim", "tolerance", "measured"] as const).map((title) => ({
  title,
  align: "left" as const,
}));

function rowOf({ claim, judged: { outcome, measured } }: JudgedClaim): string[] {
  const tolerance = "tolerance" in claim ? formatTolerance(claim.tolerance) : "-";
  return [outcome.toUpperCase(), claim.id, tolerance, outcome === "not tested" ? "-" : measured];
}

function wayOf(claim: Claim, quick: boolean): string {
  const way = commandOf(claim, quick);
  return "command" in way ? way.command : claim.command;
}

function listOf(title: string, entries: readonly (readonly [id: string, text: string])[]): Section {
  return { title, paragraphs: entries.map(([id, text]) => `${id}: ${text}`) };
}
