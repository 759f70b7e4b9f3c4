import { compile } from "./compile.js";
import { conntrack } from "./conntrack.js";
import { distribution } from "./distribution.js";
import { lookup } from "./lookup.js";
import { maps } from "./maps.js";
import { mix } from "./mix.js";
import { position } from "./position.js";
import { scale } from "./scale.js";
import type { Study } from "./study.js";

/** All studies by name; the first is what runs when none is asked for. */
export const studies: ReadonlyMap<string, Study> = new Map(
  [lookup, scale, position, conntrack, compile, maps, mix, distribution].map((study) => [study.name, study]),
);
