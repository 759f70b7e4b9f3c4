import { error, ProblemError } from "../ruleset/problem.js";
import type { Chain, MapElement, Rule, Table, Verdict, VerdictMapDefinition } from "../ruleset/types.js";

/** NFT_JUMP_STACK_SIZE: nft refuses rules that jump deeper; iptables has no such limit. */
const DEEPEST = 16;

/** Throws ProblemError where jumps nest deeper than nftables lets them, or lead to a chain that is not there. */
export function checkDepth(chains: readonly Chain[], maps: readonly VerdictMapDefinition[], table: Table): void {
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const elements = new Map(maps.map((map) => [map.name, map.elements]));
  const depths = new Map<string, number>();

  const depthOf = (name: string, path: number): number => {
    const known = depths.get(name);
    if (known !== undefined) return known;
    if (path > DEEPEST) return Infinity;
    let deepest = 0;
    for (const rule of byName.get(name)!.rules)
      for (const target of targetsOf(rule, elements)) {
        if (!byName.has(target))
          throw new ProblemError(
            error(
              "undefined-chain",
              `chain ${target} is not defined in table ${table.name}: nft would refuse it`,
              rule.span,
            ),
          );
        deepest = Math.max(deepest, 1 + depthOf(target, path + 1));
      }
    depths.set(name, deepest);
    return deepest;
  };
  for (const { name, base, span } of chains)
    if (depthOf(name, 0) >= DEEPEST && base !== undefined) {
      const message = `the jumps from ${name} nest ${DEEPEST} chains deep or more, and nftables lets them nest ${DEEPEST - 1}`;
      throw new ProblemError(error("too-deep", message, span));
    }
}

function* targetsOf({ statements }: Rule, elements: ReadonlyMap<string, readonly MapElement[]>): Generator<string> {
  for (const one of statements) {
    if (one.kind === "jump" || one.kind === "goto") yield one.chain;
    if (one.kind !== "verdict-map") continue;
    for (const { verdict } of typeof one.map === "string" ? elements.get(one.map)! : one.map) yield* chainIn(verdict);
  }
}

function* chainIn(verdict: Verdict): Generator<string> {
  if (verdict.kind === "jump" || verdict.kind === "goto") yield verdict.chain;
}
