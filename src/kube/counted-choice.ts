/** The picks that a chain which chooses among endpoints has made, by the counters of its rules. */
export interface CountedChoice {
  /** `KUBE-SVC-...`, `service-...` */
  readonly chain: string;
  /** The service port name, or the name of the chain where no comment tells. */
  readonly service: string;
  /** Whether it chooses among the endpoints of this node. */
  readonly local: boolean;
  readonly endpoints: readonly CountedEndpoint[];
  /** First packets that session affinity led to the endpoint they had, as far as they are counted apart: they were not drawn. */
  readonly byAffinity: number;
  /** The counters count other packets besides the picks (session affinity, another choice), so that they cannot be judged. */
  readonly mixed: boolean;
}

export interface CountedEndpoint {
  /** `ip:port`, or the name of its chain where that is not shown. */
  readonly to: string;
  /** The probability with which it is picked, where one is picked. */
  readonly share: number;
  /** Packets its rule matched: first packets of connections, as the nat chains see no others. */
  readonly packets: number;
}
