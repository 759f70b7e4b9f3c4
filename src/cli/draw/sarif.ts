/** Findings as SARIF 2.1.0 (OASIS standard), the form in which editors and CI services take them. */
import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { CHECKS } from "../../lint/lint.js";
import type { Place } from "../../lint/place.js";
import type { Finding, Severity } from "../../lint/types.js";

const LEVELS: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", info: "note" };
const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";

/** One log with one run. Lines and columns are those of the decompressed text; columns count UTF-16 units from 1. */
export function sarifLog(findings: readonly Finding[], file: string, version: string): object {
  const uri = uriOf(file);
  const rules = CHECKS.map(({ code, summary, severity }) => ({
    id: code,
    shortDescription: { text: summary },
    defaultConfiguration: { level: LEVELS[severity] },
  }));
  const results = findings.map((finding) => ({
    ruleId: finding.code,
    ruleIndex: CHECKS.findIndex((check) => check.code === finding.code),
    level: LEVELS[finding.severity],
    message: { text: `${finding.message}. Right would be: ${finding.right}.` },
    locations: [locationOf(finding.place, uri)],
    ...(finding.related.length === 0
      ? {}
      : {
          relatedLocations: finding.related.map(({ message, ...place }, i) => ({
            id: i + 1,
            message: { text: message },
            ...locationOf(place, uri),
          })),
        }),
  }));
  const driver = { name: "chainwalk", version, rules };
  return {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [{ tool: { driver }, columnKind: "utf16CodeUnits", artifacts: [{ location: { uri } }], results }],
  };
}

function locationOf({ family, table, chain, rule, span }: Place, uri: string): object {
  const name = rule === undefined ? chain : `${chain} ${rule}`;
  return {
    physicalLocation: {
      artifactLocation: { uri, index: 0 },
      ...(span === undefined ? {} : { region: { startLine: span.line, startColumn: span.column } }),
    },
    logicalLocations: [{ name, fullyQualifiedName: `${family} ${table} ${name}` }],
  };
}

/** A relative path stays relative, so that CI finds it in the repository. */
function uriOf(file: string): string {
  return isAbsolute(file) ? pathToFileURL(file).href : file.split("/").map(encodeURIComponent).join("/");
}
