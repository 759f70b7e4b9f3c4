/** Figures that others published, with their sources: what a run is drawn over, and the claims on their shape that it is tested against. */
import { z } from "zod";

/** The version of this format; a reader refuses any other. */
export const CURVES_SCHEMA = "chainwalk-published/1";

const figure = z.number().nonnegative();

const series = z
  .strictObject({
    /** The mode of the proxy: `iptables`, `nftables`, `ipvs`, `ebpf`. */
    mode: z.string().min(1),
    /** Which of several of one mode. */
    variant: z.string().optional(),
    /** Which quantile the values are; absent: means or medians, as published. */
    quantile: z.number().gt(0).lt(1).optional(),
    packet: z.enum(["first", "established", "request", "none"]),
    /** The axis: numbers of services, of rules, or names. */
    services: z.array(figure).optional(),
    rules: z.array(figure).optional(),
    variants: z.array(z.string()).optional(),
    values: z.array(figure).min(1),
  })
  .refine((one) => (one.services ?? one.rules ?? one.variants)?.length === one.values.length, {
    message: "as many values as places on the axis are needed",
  });

const source = z.strictObject({
  id: z.string().min(1),
  title: z.string().min(1),
  what: z.string(),
  unit: z.string(),
  better: z.enum(["lower", "higher"]),
  /** How the values were had, and within what they are right, in their unit. */
  reading: z.strictObject({ how: z.string(), error: figure }),
  series: z.array(series).min(1),
});

const claim = z.strictObject({
  id: z.string().min(1),
  says: z.string().min(1),
  /** `linear`: a fixed amount and an amount for each service; `flat`: the same at any number; `crossover`: with `iptables` below, the other above. */
  test: z.enum(["linear", "flat", "crossover"]),
  /** `any`: every mode there is. */
  mode: z.string().min(1),
  packet: z.enum(["first", "established"]),
});

const curves = z.strictObject({
  schema: z.literal(CURVES_SCHEMA),
  note: z.string(),
  sources: z.array(source).min(1),
  claims: z.array(claim),
});

export type PublishedCurves = z.infer<typeof curves>;
export type PublishedSource = z.infer<typeof source>;
export type PublishedSeries = z.infer<typeof series>;
export type Claim = z.infer<typeof claim>;

/** Reads published curves from JSON text. Throws an Error that names what is wrong with it, and where. */
export function parseCurves(text: string): PublishedCurves {
  const result = curves.safeParse(JSON.parse(text));
  if (!result.success) throw new Error(`not published curves of this version: ${z.prettifyError(result.error)}`);
  return result.data;
}
