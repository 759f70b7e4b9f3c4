import type { Statement } from "../../ruleset/types.js";
import type { Settings } from "../configuration.js";
import { jump, setMark } from "../statements.js";
import type { Draft } from "./draft.js";
import type { NftablesLayout } from "./layout.js";

/** What the writers of one rule set share. */
export interface Writing {
  readonly draft: Draft;
  readonly layout: NftablesLayout;
  readonly settings: Settings;
}

/** The statement that asks for masquerade: a jump, or the mark itself. */
export function markForMasquerade({ layout, settings }: Writing): Statement {
  return layout.masquerade === "chain" ? jump("mark-for-masquerade") : setMark(settings.mark, settings.mark);
}
