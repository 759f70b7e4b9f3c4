/**
 * Chains of records by the original source of their connection (nf_nat_bysource in net/netfilter/nf_nat_core.c), youngest first. Only
 * connections with a translated source are entered: no other can be what find_appropriate_src looks for.
 */
export class SourceIndex {
  private heads: Int32Array;
  private next: Int32Array;

  /** `capacity`: records of the table, numbered from 1. */
  constructor(capacity: number) {
    this.heads = new Int32Array(1 << (32 - Math.clz32(capacity - 1)));
    this.next = new Int32Array(capacity);
  }

  get byteLength(): number {
    return this.heads.byteLength + this.next.byteLength;
  }

  /** The first record whose source may have this hash, 0 at the end; others of the same bucket are among them. */
  first(hash: number): number {
    return this.heads[hash & (this.heads.length - 1)]!;
  }

  after(record: number): number {
    return this.next[record]!;
  }

  link(record: number, hash: number): void {
    const bucket = hash & (this.heads.length - 1);
    this.next[record] = this.heads[bucket]!;
    this.heads[bucket] = record;
  }

  unlink(record: number, hash: number): void {
    const bucket = hash & (this.heads.length - 1);
    let at = this.heads[bucket]!;
    if (at === record) {
      this.heads[bucket] = this.next[record]!;
      return;
    }
    while (this.next[at] !== record) at = this.next[at]!;
    this.next[at] = this.next[record]!;
  }

  clear(): void {
    this.heads.fill(0);
  }

  /** The same chains with room for more records. */
  grown(capacity: number, hashOf: (record: number) => number): SourceIndex {
    const larger = new SourceIndex(capacity);
    for (const head of this.heads) {
      const chain: number[] = [];
      for (let record = head; record !== 0; record = this.next[record]!) chain.push(record);
      for (const record of chain.reverse()) larger.link(record, hashOf(record));
    }
    return larger;
  }
}
