/** The stages of a compiled plan as text. */
import { type PassName, PASSES, type Plan } from "../../engine/compile/compile.js";
import { pick, type PickedServices } from "../../engine/compile/pick.js";
import { EVEN, SERVICE_WORDS } from "../../engine/compile/services.js";
import { specialise, type Specialised } from "../../engine/compile/specialise/specialise.js";
import { toNumber } from "../../engine/fraction.js";
import { formatAddress, formatEndpoint } from "../../packet/address.js";
import { protocolName } from "../../packet/protocol.js";
import { drawTable, formatCount, type TableColumn } from "../../report/table.js";
import { describe } from "../../engine/place.js";
import { BACKEND_BYTES, dumpPlan, type DumpedPlan, PICK_BYTES, sourceTestText } from "./plan.js";
import { percentText, sharesOf } from "./probability.js";

/** One stage as text, or (without one) what came out of all of them. */
export function drawPlan(plan: Plan, stage: PassName | undefined): string {
  const dump = dumpPlan(plan);
  const lines = stage === undefined ? drawSummary(dump, plan) : drawStage[stage](dump, plan);
  return lines.map((line) => `${line}\n`).join("");
}

const count = (n: number, one: string): string => `${formatCount(n)} ${one}${n === 1 ? "" : "s"}`;
const left = (title: string): TableColumn => ({ title, align: "left" });
const right = (title: string): TableColumn => ({ title, align: "right" });

function drawSummary(dump: DumpedPlan, plan: Plan): string[] {
  const { chains, services, bytes } = dump;
  const indexed = chains.filter(({ lookups }) => lookups !== null);
  const shadowed = chains.reduce((sum, chain) => sum + chain.shadowed.length, 0);
  const backends = services.reduce((sum, service) => sum + service.backends.length, 0);
  const picks = services.filter(({ kind }) => kind === "pick");
  const choices = new Set(picks.map((service) => service.backends.map(({ threshold }) => threshold).join()));
  const told: Record<PassName, string> = {
    resolve: `${count(plan.resolved.ruleset.tables.length, "table")}, ${count(chains.length, "chain")}, ${count(dump.rules, "rule")}`,
    prune: `${count(chains.filter(({ reached }) => !reached).length, "chain")} and ${count(shadowed, "rule")} that no packet gets to`,
    partition: `${count(indexed.length, "chain")} with hash tables (${count(
      indexed.reduce((sum, chain) => sum + chain.rules, 0),
      "rule",
    )}); the others are walked`,
    specialise: `${count(services.length, "destination")}: ${formatCount(picks.length)} pick among ${count(backends, "backend")}, ${formatCount(services.length - picks.length)} with a fixed verdict`,
    pick: `${count(choices.size, "different choice")}`,
    layout: `service map ${formatCount(bytes.serviceMap)} bytes, backend array ${formatCount(bytes.backends)}, picks ${formatCount(bytes.picks)}, rule columns ${formatCount(bytes.columns)}`,
  };
  return PASSES.map((pass) => `${pass.padEnd(12)}${told[pass]}`);
}

/** Everything is worked out again here: a plan keeps only what the engine runs. */
const drawStage: Readonly<Record<PassName, (dump: DumpedPlan, plan: Plan) => string[]>> = {
  resolve: (_, { resolved }) =>
    drawTable(
      [
        left("table"),
        left("chain"),
        left("hook"),
        right("priority"),
        left("policy"),
        right("rules"),
        right("leads to"),
      ],
      resolved.chains.map(({ table, name, base, rules }) => [
        table.name,
        name,
        base?.hook ?? "-",
        base === undefined ? "-" : String(base.priority),
        base?.policy ?? "-",
        String(rules.length),
        count(new Set(rules.flatMap((rule) => rule.targets)).size, "chain"),
      ]),
    ),
  prune: (_, { resolved, pruned }) => {
    const gone = resolved.chains.flatMap((chain) =>
      pruned.reached[chain.id] === 1
        ? chain.rules.flatMap((rule) => {
            const by = pruned.shadowed.get(rule);
            return by === undefined
              ? []
              : [
                  [
                    chain.table.name,
                    chain.name,
                    String(rule.number),
                    `all its packets leave by ${describe({ at: by })}`,
                  ],
                ];
          })
        : [
            [
              chain.table.name,
              chain.name,
              count(chain.rules.length, "rule"),
              "no chain that packets get to leads here",
            ],
          ],
    );
    return gone.length === 0
      ? ["Packets can get to every rule."]
      : drawTable([left("table"), left("chain"), left("left out"), left("why")], gone);
  },
  partition: ({ chains }) =>
    drawTable(
      [left("table"), left("chain"), right("rules"), left("hash tables keyed by")],
      chains.map(({ table, chain, rules, reached, lookups }) => [
        table,
        chain,
        String(rules),
        lookups?.join("; ") ?? (reached ? "none: walked" : "none: pruned"),
      ]),
    ),
  specialise: (_, plan) =>
    drawTable(
      [left("destination"), left(""), left("masquerade if source"), left("what is left of its rules")],
      inOrder(specialise(plan)).map((service) => [
        ...destinationOf(service),
        service.tests.map(sourceTestText).join(" or ") || "-",
        restText(service),
      ]),
    ),
  pick: (_, plan) =>
    drawTable(
      [left("destination"), left(""), right("choice"), left("backends by weight")],
      pickRows(pick(specialise(plan))),
    ),
  layout: (dump, { tables, columns }) =>
    drawTable(
      [left("array"), right("rows"), right("bytes"), left("what a row holds")],
      [
        [
          "service map",
          formatCount(tables.map.length / SERVICE_WORDS),
          formatCount(dump.bytes.serviceMap),
          `address, port, protocol -> backends, pick, source test; seed (${formatCount(dump.services.length)} in use)`,
        ],
        [
          "backend array",
          formatCount(dump.bytes.backends / BACKEND_BYTES),
          formatCount(dump.bytes.backends),
          "address, port, flags",
        ],
        [
          "picks",
          formatCount(dump.bytes.picks / PICK_BYTES),
          formatCount(dump.bytes.picks),
          "bound of 2^32, where a guess is in doubt, threshold of 2^31",
        ],
        ["source tests", formatCount(tables.sourceTests.length), "-", "value, mask, negated"],
        [
          "rule columns",
          formatCount(columns.size),
          formatCount(dump.bytes.columns),
          "the head of a rule, and code for the rest",
        ],
      ],
    ),
};

/** Backends shown of one service. */
const MOST_BACKENDS = 3;

const destinationOf = ({ record }: Specialised): [string, string] => [
  formatEndpoint(record.address, record.port),
  protocolName(record.protocol),
];

function inOrder(services: readonly Specialised[]): Specialised[] {
  return services.toSorted(
    ({ record: a }, { record: b }) => a.address - b.address || a.protocol - b.protocol || a.port - b.port,
  );
}

/** The rules that draw, in order, each with the backend it leads to; or the verdict. */
function restText({ record, backends, thresholds }: Specialised): string {
  if (backends.length === 0)
    return `${record.verdict}${record.rejectWith === undefined ? "" : ` with ${record.rejectWith}`}`;
  const even = thresholds[0] === EVEN ? `one of ${thresholds.length} -> ` : undefined;
  return listText(
    backends.map(({ address, port }, k) => {
      const to = formatEndpoint(address >>> 0, port);
      if (even !== undefined) return `${k === 0 ? even : ""}${to}`;
      return k < record.picks.length ? `random ${percentText(thresholds[k]! / 2 ** 31)} -> ${to}` : `-> ${to}`;
    }),
  );
}

function pickRows({ picked }: PickedServices): string[][] {
  const choices = new Map(picked.map(({ service, choice }) => [service, choice]));
  return inOrder(picked.map(({ service }) => service))
    .filter(({ backends }) => backends.length > 0)
    .map((service) => [
      ...destinationOf(service),
      String(choices.get(service)),
      listText(
        sharesOf(service.thresholds).map((share, k) => {
          const { address, port } = service.backends[k]!;
          return `${percentText(toNumber(share))} ${formatAddress(address >>> 0)}:${port}`;
        }),
      ),
    ]);
}

function listText(words: readonly string[]): string {
  const shown = words.slice(0, MOST_BACKENDS);
  return `${shown.join(", ")}${words.length > shown.length ? ` + ${words.length - shown.length} more` : ""}`;
}
