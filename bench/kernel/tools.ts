import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../environment.js";

/** What the kernel is measured with. `no-rules`: an empty namespace; `conntrack-only`: one rule, which switches conntrack on. */
export const BASELINES = ["no-rules", "conntrack-only"] as const;
export const VARIANTS = ["iptables-legacy", "iptables-nft", "nft-maps", "ebpf"] as const;
export type Baseline = (typeof BASELINES)[number];
export type Variant = (typeof VARIANTS)[number];
/** All that packets are sent through. */
export type Ruled = Exclude<Baseline | Variant, "ebpf">;

/** What nothing can be measured without, and the Debian packages it is in. */
const NEEDED = ["cc", "nsenter", "ip", "sysctl"] as const;
const NEEDED_PACKAGES = "gcc libc6-dev util-linux iproute2 procps";

const NEEDED_BY: Readonly<Record<Variant, { readonly tools: readonly string[]; readonly packages: string }>> = {
  "iptables-legacy": { tools: ["iptables-legacy-restore"], packages: "iptables" },
  "iptables-nft": { tools: ["iptables-nft-restore"], packages: "iptables" },
  "nft-maps": { tools: ["nft"], packages: "nftables" },
  ebpf: { tools: ["clang"], packages: "clang libbpf-dev" },
};

/** Why the kernel cannot be measured here, a reason each; empty where it can. */
export function findObstacles(): string[] {
  if (process.platform !== "linux") return [`this is ${process.platform}, and it is Linux that is measured`];
  const obstacles: string[] = [];
  if (process.getuid?.() !== 0) obstacles.push("not root: network namespaces and rule sets need it");
  const missing = NEEDED.filter((tool) => !isThere(tool));
  if (missing.length > 0)
    obstacles.push(`not installed: ${missing.join(", ")} (Debian: apt-get install ${NEEDED_PACKAGES})`);
  if (!existsSync("/dev/net/tun")) obstacles.push("/dev/net/tun is not there: the kernel has no TUN devices");
  return obstacles;
}

/** Splits variants into those whose tools are there and, as notes, the others. */
export function findVariants(wanted: readonly Variant[]): { variants: Variant[]; notes: string[] } {
  const notes: string[] = [];
  const variants = wanted.filter((variant) => {
    const { tools, packages } = NEEDED_BY[variant];
    const missing = tools.filter((tool) => !isThere(tool));
    if (missing.length === 0) return true;
    notes.push(`${variant} was left out: no ${missing.join(", ")} (Debian: apt-get install ${packages}).`);
    return false;
  });
  return { variants, notes };
}

/** First lines that programs print of their version, for the record. */
export function describeTools(variants: readonly Variant[]): string[] {
  const words: Readonly<Record<Variant, readonly string[]>> = {
    "iptables-legacy": ["iptables-legacy", "--version"],
    "iptables-nft": ["iptables-nft", "--version"],
    "nft-maps": ["nft", "--version"],
    ebpf: ["clang", "--version"],
  };
  return variants.flatMap((variant) => {
    const [program, ...rest] = words[variant];
    const { status, stdout } = spawnSync(program!, rest, { encoding: "utf8" });
    return status === 0 ? [stdout.split("\n")[0]!.trim()] : [];
  });
}

/** The compiled programs of bench/kernel. */
export interface Programs {
  readonly sender: string;
  /** Absent where libbpf or its headers are not there, or the program does not compile. */
  readonly ebpf?: { readonly loader: string; readonly object: string };
}

/** Compiles the sender, and for eBPF the loader and the program, into a directory. Throws where the sender does not compile. */
export function compilePrograms(directory: string, ebpf: boolean): { programs: Programs; notes: string[] } {
  const source = (name: string): string => join(packageRoot(), "bench", "kernel", name);
  const out = (name: string): string => join(directory, name);
  const sender = out("sender");
  const failure = compile("cc", ["-O2", "-std=gnu11", "-o", sender, source("sender.c")]);
  if (failure !== undefined) throw new Error(`sender.c does not compile: ${failure}`);
  if (!ebpf) return { programs: { sender }, notes: [] };
  const [loader, object] = [out("ebpf"), out("lookup.bpf.o")];
  // Debian keeps asm/types.h where only the native target looks.
  const headers = spawnSync("cc", ["-print-multiarch"], { encoding: "utf8" }).stdout.trim();
  const refused =
    compile("cc", ["-O2", "-std=gnu11", "-o", loader, source("ebpf.c"), "-lbpf"]) ??
    compile(
      "clang",
      `-O2 -g -target bpf -I/usr/include/${headers} -c -o`.split(" ").concat(object, source("lookup.bpf.c")),
    );
  if (refused === undefined) return { programs: { sender, ebpf: { loader, object } }, notes: [] };
  const hint = `(Debian: apt-get install ${NEEDED_BY.ebpf.packages})`;
  return { programs: { sender }, notes: [`ebpf was left out: it does not compile: ${refused} ${hint}.`] };
}

/** The first line of what a compiler complains of; undefined where it does not. */
function compile(compiler: string, words: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync(compiler, words, { encoding: "utf8" });
  if (status === 0) return undefined;
  return error?.message ?? stderr.split("\n").find((line) => line.includes("error")) ?? stderr.trim();
}

function isThere(tool: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
}
