import type { KernelOptions } from "./arguments.js";
import type { KernelPlan } from "./measure.js";
import { BASELINES, type Variant } from "./tools.js";

/** A quick run loads no more services than this by nft: one transaction takes time in proportion to their square, a minute at 10,000. */
const QUICK_NFT_SERVICES = 3000;

/** What makes one round: every variant at every size, and the baselines with the same packets. */
export function planKernel(
  { services: sizes, quick }: Pick<KernelOptions, "services" | "quick">,
  variants: readonly Variant[],
): { plans: KernelPlan[]; notes: string[] } {
  const tooLong = (variant: Variant, services: number): boolean =>
    quick && variant === "nft-maps" && services > QUICK_NFT_SERVICES;
  const plans = sizes.flatMap((services) =>
    [...BASELINES, ...variants.filter((variant) => !tooLong(variant, services))].map((engine) => ({
      engine,
      services,
    })),
  );
  const notes = variants.flatMap((variant) => {
    const left = sizes.filter((services) => tooLong(variant, services));
    return left.length === 0 ? [] : [`Left out of a quick run: ${variant} at ${left.join(", ")} services.`];
  });
  return { plans, notes };
}
