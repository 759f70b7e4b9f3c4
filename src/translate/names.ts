/** What the scanner of nft takes for a name without quotes. */
const IDENTIFIER = /^[A-Za-z_.][\w./-]*$/;
/** Words nft may take for one of its own: lower case, single or joined by hyphens. */
const MAY_BE_KEYWORD = /^[a-z0-9]+$|^[a-z]+(-[a-z]+)+$/;
/** NFT_NAME_MAXLEN, less what is added to tell names apart. */
const LONGEST = 200;

/** Names for the chains, sets and maps of one nftables table: each given once. */
export class Names {
  private readonly taken = new Set<string>();
  private readonly chains = new Map<string, string>();

  /** Chains keep their names where nft can read them. */
  constructor(chains: Iterable<string>) {
    const all = [...chains];
    for (const name of all) if (isPlain(name)) this.keep(name, name);
    for (const name of all) if (!isPlain(name)) this.keep(name, this.fresh(`chain-${name}`));
  }

  private keep(from: string, to: string): void {
    this.taken.add(to);
    this.chains.set(from, to);
  }

  /** The name of an iptables chain in nftables. */
  chain(name: string): string {
    return this.chains.get(name) ?? name;
  }

  /** A name that is not given yet, as near as possible to what is wanted. */
  fresh(wanted: string): string {
    const base = wanted.replaceAll(/[^\w./-]/g, "_").slice(0, LONGEST);
    let name = base;
    for (let n = 2; this.taken.has(name); n++) name = `${base}.${n}`;
    this.taken.add(name);
    return name;
  }
}

function isPlain(name: string): boolean {
  return IDENTIFIER.test(name) && !MAY_BE_KEYWORD.test(name) && name.length <= LONGEST;
}
