/** Counters of a real node against the probabilities of its rules. */
import type { CountedChoice } from "../../kube/counted-choice.js";
import { countedChoices } from "../../kube/read-counters.js";
import { error } from "../../ruleset/problem.js";
import { InputError, UsageError } from "../failure.js";
import type { LoadedRules } from "../options/rules.js";
import { judge, type Judgement } from "./judge.js";

export interface CountedJudgement extends Judgement {
  readonly choice: CountedChoice;
}

export interface CountersCheck {
  readonly judgements: readonly CountedJudgement[];
  /** Services whose counters hold more than picks. */
  readonly mixed: readonly string[];
}

/** The choices of the named services (all where none is named), each with its counts judged. Throws InputError where there are no counters. */
export function judgeCounters(rules: LoadedRules, services: readonly string[] | undefined): CountersCheck {
  const choices = countedChoices(rules.resolved.ruleset);
  if (choices === undefined)
    throw new InputError(rules.source, [
      error(
        "no-counters",
        'the rules have no counters: "iptables-save -c" (or "iptables -v -S") prints them; in nftables mode kube-proxy writes none, but counts of "counter" statements added to its endpoint chains are read',
      ),
    ]);
  const wanted = services === undefined ? choices : services.flatMap((name) => named(choices, name));
  const judged = wanted.filter(({ mixed, endpoints }) => !mixed && endpoints.some(({ share }) => share > 0));
  return {
    judgements: judged.map((choice) => ({
      choice,
      ...judge(
        choice.endpoints.map(({ to, share }) => ({ to, probability: share })),
        choice.endpoints.map(({ packets }) => packets),
      ),
    })),
    mixed: wanted.filter(({ mixed }) => mixed).map(({ service }) => service),
  };
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
