import type { PublishedSeries, PublishedSource } from "./curves.js";

/** Series over numbers of services, which alone can be drawn over. */
export function seriesOverServices(source: PublishedSource): (PublishedSeries & { readonly services: number[] })[] {
  return source.series.filter((one) => one.services !== undefined && one.services.length > 1) as (PublishedSeries & {
    readonly services: number[];
  })[];
}

/** How a published series is called. */
export function nameOf(one: PublishedSeries): string {
  const quantile = one.quantile === undefined ? "" : `, p${Math.round(one.quantile * 100)}`;
  return `${one.variant ?? one.mode}${quantile}`;
}

/** The series as cost: where more is better, its inverse. */
export function costOf(source: PublishedSource, values: readonly number[]): number[] {
  return values.map((value) => (source.better === "lower" ? value : 1 / value));
}
