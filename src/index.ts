/** The public surface: named re-exports, room by room, nothing else. */
export {
  type Address,
  compareAddresses,
  type Family,
  familyOf,
  formatAddress,
  formatEndpoint,
  parseAddress,
  parseEndpoint,
} from "./packet/address.js";
export { batchOf, ENTRANCE_OUTPUT, ENTRANCE_PREROUTING, PacketBatch } from "./packet/batch.js";
export { type Connection, CtState, CtStatus, NEW_CONNECTION } from "./packet/connection.js";
export { defaultRoute, Node, type Route, type RouteEntry } from "./packet/node.js";
export { DEFAULT_INTERFACE, makePacket, type Packet, type PacketFields } from "./packet/packet.js";
export { formatPrefix, type MaskedAddress, parsePrefix } from "./packet/prefix.js";
export { ICMP, ICMPV6, parseProtocol, protocolName, SCTP, TCP, TcpFlag, UDP } from "./packet/protocol.js";
export { formatTuple, replyTuple, type Tuple } from "./packet/tuple.js";

export type * from "./ruleset/types.js";
export { applyChanges, type ChainChange, type Changes, changesBetween } from "./ruleset/changes.js";
export type { IpSet } from "./ruleset/ipset.js";
export { type Problem, ProblemError } from "./ruleset/problem.js";
export { resolve, type ResolvedChain, type ResolvedRule, type ResolvedRuleSet } from "./ruleset/resolve.js";

export { formatProblem } from "./syntax/problem.js";
export { readRules, type ReadOptions, type ReadResult } from "./syntax/read.js";
export { readIpSets } from "./syntax/ipset.js";
export { printInPieces, printRule, printRules } from "./syntax/iptables/printer.js";
export { printNft, printNftInPieces, printNftRule } from "./syntax/nft/printer.js";

export {
  DEFAULT_CONFIGURATION,
  type NodeFacts,
  type ProxyConfiguration,
  type Settings,
  settingsOf,
} from "./kube/configuration.js";
export { type ServicePort, servicePortsOf } from "./kube/services.js";
export { generateIptables, writeIptables } from "./kube/iptables-mode/write.js";
export { generateNftables, nftablesSettingsOf, writeNftables } from "./kube/nftables-mode/write.js";
export { remarkNode } from "./kube/node-remark.js";
export { LAYOUTS, type LayoutName, layoutOf } from "./kube/iptables-mode/layout.js";
export { applySync, planSync, type Sync } from "./kube/iptables-mode/sync.js";
export { changesOfSync } from "./kube/iptables-mode/sync-changes.js";
export { printObjects } from "./kube/manifest/print-objects.js";
export { type ReadConfiguration, readConfiguration } from "./kube/manifest/read-configuration.js";
export { type ReadObjects, readObjects } from "./kube/manifest/read-objects.js";
export { objectsOfServices } from "./kube/objects-of-services.js";
export { endpointChainName, serviceChainName, servicePortName } from "./kube/names.js";
export type { EndpointSlice, KubernetesObject, Service } from "./kube/objects.js";
export { type Cluster, synthesizeCluster, type SyntheticOptions } from "./kube/synthetic.js";

export { complete } from "./kube/complete.js";
export type { CountedChoice, CountedEndpoint } from "./kube/counted-choice.js";
export { countedChoices } from "./kube/read-counters.js";
export { type PickMechanism, pickMechanisms, pickShares } from "./kube/pick-shares.js";
export { type ReadService, servicesOf } from "./kube/read-services.js";

export {
  findService,
  readServiceRow,
  SERVICE_WORDS,
  hashPorts,
  hashService,
  slotOf,
  type ServiceTables,
} from "./engine/compile/services.js";
export { type Columns, layOut } from "./engine/compile/columns.js";
export { compile, type Plan } from "./engine/compile/compile.js";
export { drawKey, drawWith, namedDraw } from "./engine/draw.js";
export { equals, formatFraction, type Fraction, toNumber } from "./engine/fraction.js";
export type { UpdateReport } from "./engine/compile/update.js";
export {
  columnEngine,
  indexedEngine,
  type IndexedEngine,
  type IndexedOptions,
  PICK_DRAW,
  type UpdatableEngine,
  updatableEngine,
} from "./engine/indexed.js";
export { type EngineOptions, linearEngine } from "./engine/linear.js";
export {
  OutcomeBatch,
  OutcomeFlag,
  VERDICT_ACCEPT,
  VERDICT_DROP,
  VERDICT_REJECT,
  verdictNames,
} from "./engine/outcome-batch.js";
export { schedule, type Schedule, type Stage, type Station, ways } from "./engine/path.js";
export { FRESH_STATE, RuleMemory, type RuleState, type StateChange } from "./engine/state.js";
export type {
  Context,
  Distribution,
  Draw,
  Engine,
  Outcome,
  SourceTranslation,
  Step,
  Trace,
  WeightedOutcome,
  Work,
} from "./engine/types.js";

export { CHECKS, lint } from "./lint/lint.js";
export type { Place as FindingPlace } from "./lint/place.js";
export type { Check, Finding, Severity } from "./lint/types.js";

export { ConntrackTable } from "./conntrack/table.js";
export { type TimeoutPreset, timeoutPresets, type Timeouts } from "./conntrack/timeouts.js";
export { type ContextOptions, freshContext } from "./datapath/context.js";
export { Datapath } from "./datapath/datapath.js";
export { BatchResults } from "./datapath/results.js";
export type { DatapathOptions, DropReason, Result } from "./datapath/single.js";

export { type ConnectionsOptions, type ConnectionsResult, sendConnections } from "./traffic/connections.js";
export { destinationsOf, type Destination, type Destinations } from "./traffic/destinations.js";
export { type FlowOptions, FlowSource } from "./traffic/flows.js";
export { type Fate, type FateCount, PickSampler } from "./traffic/picks.js";
export {
  fixedPopularity,
  type Popularity,
  uniformPopularity,
  weightedPopularity,
  zipfPopularity,
} from "./traffic/popularity.js";
export { fixedSizes, geometricSizes, paretoSizes, type Sizes } from "./traffic/sizes.js";

export { chiSquareQuantile, chiSquareTail, noncentralTail } from "./stats/chi-square.js";
export { chiSquareTest, type FitTest, gTest } from "./stats/goodness-of-fit.js";
export { holm } from "./stats/holm.js";
export { uniformityTest, type UniformityTest } from "./stats/kolmogorov.js";
export { effectSize, observationsNeeded, powerOf, smallestEffect } from "./stats/power.js";
export { drawBinomial, drawMultinomial } from "./stats/sampling.js";
export { logLogSlope, median, quantile, summarize, type Summary } from "./stats/summary.js";
export { bootstrapInterval, type Interval, ratioInterval } from "./stats/bootstrap.js";

export type { Document, Figure, Section, Table, Verdict } from "./report/document.js";
export { describeRun } from "./report/environment.js";
export { compareBuilds, compareRuns, type Comparison } from "./report/compare/document.js";
export { drawFiles, PAGE } from "./report/files.js";
export { formatCsv } from "./report/formats/csv.js";
export { renderSvg } from "./report/formats/svg.js";
export { formatText } from "./report/formats/text.js";
export { inOrder, MergeError, mergeRecords, type NamedRecord } from "./report/merge.js";
export {
  type BenchCase,
  type BenchEnvironment,
  type BenchRound,
  type BenchRun,
  compareFactors,
  type Dataset,
  describeFactors,
  type DestinationKind,
  type Exact,
  exactPart,
  type Factors,
  findCases,
  formatMeasurement,
  type Histogram,
  type Measurement,
  MeasurementError,
  type MeasurementIssue,
  MEASUREMENT_SCHEMA,
  type MeasuringProcess,
  type PacketKind,
  parseMeasurement,
  type Picks,
} from "./report/measurement.js";
export { findBusy } from "./report/noise.js";
export { documentOf } from "./report/studies/index.js";
