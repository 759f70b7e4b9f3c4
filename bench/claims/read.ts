/** `bench/claims.json`: what the README claims, how each claim is put to the test, and within what it must hold. */
import { z } from "zod";

/** The version of this format; a reader refuses any other. */
export const CLAIMS_SCHEMA = "chainwalk-claims/1";

/** What a command of a claim may start with: the script it runs, within the built package. */
export const PROGRAMS: ReadonlyMap<string, string> = new Map([
  ["npx chainwalk ", "dist/src/cli/main.js"],
  ["npm run bench -- ", "dist/bench/main.js"],
]);

/** One line as a reader would type it, without quotes; stages of a pipe stand between ` | `. */
const command = z.string().refine((line) => line.split(" | ").every((stage) => programOf(stage) !== undefined), {
  message: `each stage of a command must start with ${[...PROGRAMS.keys()].map((start) => `"${start}"`).join(" or ")}`,
});

/** What a case is, as far as it must be told from others. */
const factors = z.record(z.string(), z.union([z.string(), z.number()]));

/** Where the measured value stands in what the command says. */
const reading = z.discriminatedUnion("read", [
  /** A target of a study, judged by the study itself, which knows when the machine was too busy. */
  z.strictObject({ read: z.literal("target"), target: z.string().min(1) }),
  /** The median of the one case with these factors, in the unit of the case over `unitOf`. */
  z.strictObject({
    read: z.literal("median"),
    factors,
    unitOf: z.number().positive(),
  }),
  /** The median of one case over that of another. */
  z.strictObject({ read: z.literal("ratio"), of: factors, to: factors }),
  /** A field of the JSON printed. */
  z.strictObject({ read: z.literal("field"), path: z.array(z.union([z.string(), z.number()])).min(1) }),
  /** Wall time of the whole command, which must end with exit code 0. */
  z.strictObject({ read: z.literal("seconds") }),
]);

const tolerance = z
  .strictObject({
    least: z.number().optional(),
    most: z.number().optional(),
    equals: z.union([z.number(), z.string(), z.boolean()]).optional(),
    /** How far a number may be from `equals`, as a share of it. */
    within: z.number().positive().optional(),
    /** Of `least`, `most` and `equals`. */
    unit: z.string().optional(),
  })
  .refine(({ least, most, equals }) => (least ?? most ?? equals) !== undefined, {
    message: "one of least, most and equals is needed",
  })
  .refine(({ equals, within }) => within === undefined || typeof equals === "number", {
    message: "within takes a number that the value equals",
  });

const claim = z.strictObject({
  id: z.string().regex(/^[a-z][a-z0-9-]*$/, "an id is of lower-case letters, digits and dashes"),
  says: z.string().min(1),
  command,
  /** What a quick run does instead; absent: the same. */
  quick: command.optional(),
  /** Why a quick run leaves it out. */
  fullOnly: z.string().min(1).optional(),
  reading,
  tolerance,
});

/** A claim this program does not test, because it needs more than a laptop has. */
const byHand = z.strictObject({
  id: claim.shape.id,
  says: claim.shape.says,
  /** What tests it. */
  command: z.string().min(1),
  needs: z.string().min(1),
});

const claims = z
  .strictObject({ schema: z.literal(CLAIMS_SCHEMA), claims: z.array(z.union([claim, byHand])).min(1) })
  .refine(({ claims }) => new Set(claims.map(({ id }) => id)).size === claims.length, {
    message: "two claims have one id",
  });

export type TestedClaim = z.infer<typeof claim>;
export type ClaimByHand = z.infer<typeof byHand>;
export type Claim = TestedClaim | ClaimByHand;
export type Tolerance = z.infer<typeof tolerance>;

/** A text that is no list of claims; the message says where and what would be right, one line a mistake. */
export class ClaimsError extends Error {}

/** Reads claims from JSON text. Throws ClaimsError. */
export function parseClaims(text: string): Claim[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ClaimsError(`no JSON: ${(error as Error).message}`);
  }
  const result = claims.safeParse(value);
  if (!result.success) throw new ClaimsError(z.prettifyError(result.error));
  return result.data.claims;
}

/** Script and words of one stage of a command; undefined where it starts with no known program. */
export function programOf(stage: string): { script: string; words: string[] } | undefined {
  for (const [start, script] of PROGRAMS)
    if (stage.startsWith(start)) return { script, words: stage.slice(start.length).trim().split(/ +/) };
  return undefined;
}
