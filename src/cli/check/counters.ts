/** Counters of a real node against the probabilities of its rules. */
import { shares } from "../../kube/choice-precision.js";
import { type CountedChoice, countedChoices } from "../../kube/read-counters.js";
import { error } from "../../ruleset/problem.js";
import { InputError, UsageError } from "../failure.js";
import type { LoadedRules } from "../options/rules.js";
import type { Cell } from "./cells.js";
import { judge, type Judgement } from "./judge.js";

export interface CountedJudgement extends Judgement {
  readonly choice: CountedChoice;
}

/** The choices of the named services (all where none is named), each with its counts judged. Throws InputError where there are no counters. */
export function judgeCounters(rules: LoadedRules, services: readonly string[] | undefined): CountedJudgement[] {
  const choices = countedChoices(rules.resolved.ruleset);
  if (choices === undefined)
    throw new InputError(rules.source, [
      error("no-counters", 'the rules have no counters: "iptables-save -c" (or "iptables -v -S") prints them'),
    ]);
  const wanted = services === undefined ? choices : services.flatMap((name) => named(choices, name));
  return wanted.map((choice) => ({
    choice,
    ...judge(
      cellsOf(choice),
      choice.endpoints.map((endpoint) => endpoint.packets),
    ),
  }));
}

function named(choices: readonly CountedChoice[], name: string): CountedChoice[] {
  const found = choices.filter(({ service, chain }) => service === name || chain === name || service === `${name}:`);
  if (found.length === 0) {
    const parts = choices.filter(({ service }) => service.startsWith(`${name}:`) || service.endsWith(`/${name}`));
    const hint =
      parts.length === 0
        ? ""
        : `; did you mean ${parts
            .slice(0, 5)
            .map((one) => one.service)
            .join(", ")}`;
    throw new UsageError(`--service ${name}: the rules hold no choice of such a service${hint}`);
  }
  return found;
}

/** What reaches no rule of the choice is in no counter: shares are of what the rules took. */
function cellsOf({ endpoints }: CountedChoice): Cell[] {
  const parts = shares(endpoints.map((endpoint) => endpoint.threshold));
  const taken = parts.reduce((sum, part) => sum + part, 0);
  return endpoints.map(({ to }, i) => ({ to, probability: taken === 0 ? 1 / parts.length : parts[i]! / taken }));
}
