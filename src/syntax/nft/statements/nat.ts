import { type Address, type Family, familyOf, formatAddress, sameAddress } from "../../../packet/address.js";
import { addressToInteger, intervalOf, integerToAddress, prefixOf } from "../../../packet/interval.js";
import type {
  DnatAction,
  Expression,
  KeyPart,
  MapExpression,
  MasqueradeAction,
  NatRange,
  PortRange,
  RedirectAction,
  SnatAction,
  TableFamily,
} from "../../../ruleset/types.js";
import { printMap, readSet } from "../anonymous.js";
import type { Context, StatementSyntax } from "../context.js";
import { type DataType, dataTypes } from "../data-types.js";
import { beginsExpression, readConcatenation } from "../expression.js";
import type { Lexer } from "../lexer.js";
import { isMasked, isNumbers, isSpan, printMasked, readPart } from "../values.js";

type Translation = DnatAction | SnatAction | MasqueradeAction | RedirectAction;
type Writable<T> = { -readonly [K in keyof T]: T[K] };
interface Target {
  to: Writable<NatRange>;
  mapped: { addresses?: MapExpression; ports?: MapExpression };
  family?: Family;
}

const flags = [
  ["random", "random"],
  ["fully-random", "fullyRandom"],
  ["persistent", "persistent"],
] as const;

/** `dnat to 10.0.0.1:80`, `snat ip to ip saddr map @m`, `masquerade fully-random`, `redirect to :8080` (src/statement.c). */
export const nat: StatementSyntax<Translation> = {
  kinds: ["dnat", "snat", "masquerade", "redirect"],
  words: ["dnat", "snat", "masquerade", "redirect"],
  read: (context) => {
    const { lexer } = context;
    const { word } = lexer;
    if (/^\w+\s+(ip6?\s+)?(prefix|interval)\b/.test(lexer.text.slice(lexer.start, lexer.start + 40))) return undefined;
    lexer.next();
    const target: Target = { to: {}, mapped: {} };
    if (word === "dnat" || word === "snat") readTarget(context, target, word);
    else if (lexer.accept("to")) {
      lexer.expect(":", "and a port");
      readPorts(context, target);
    }
    readFlags(lexer, target.to);
    if (word === "masquerade" || word === "redirect") {
      if (target.mapped.ports !== undefined && word === "redirect")
        return { kind: "redirect", to: target.to, mapped: target.mapped };
      return { kind: word, to: target.to };
    }
    const { mapped, family } = target;
    const isMapped = mapped.addresses !== undefined || mapped.ports !== undefined;
    return {
      kind: word as "dnat",
      to: target.to,
      ...(isMapped ? { mapped } : {}),
      ...(family === undefined ? {} : { family }),
    };
  },
  print: (action, family) => {
    let text: string = action.kind;
    const { to } = action;
    const mapped = "mapped" in action ? action.mapped : undefined;
    const addresses = mapped?.addresses ?? to.addresses;
    const ports = mapped?.ports ?? to.ports;
    if (addresses !== undefined || ports !== undefined) {
      const of =
        "family" in action && action.family !== undefined
          ? action.family
          : familyOfTarget(to, mapped?.addresses, family);
      text +=
        of === undefined ||
        (family !== "inet" && !("family" in action && action.family) && !hasPorts(mapped?.addresses))
          ? " to"
          : ` ${of} to`;
    }
    if (mapped?.addresses !== undefined)
      text += ` ${printMap(mapped.addresses, dataTypesOf(mapped.addresses), family)}`;
    else if (to.addresses !== undefined) text += ` ${printAddresses(to.addresses, ports !== undefined)}`;
    if (ports !== undefined) {
      text += addresses === undefined ? " :" : ":";
      text +=
        mapped?.ports === undefined ? printPorts(to.ports!) : printMap(mapped.ports, [dataTypes.inet_service], family);
    }
    const set = flags.filter(([, field]) => to[field] === true).map(([name]) => name);
    return set.length === 0 ? text : `${text} ${set.join(",")}`;
  },
};

function readTarget(context: Context, target: Target, word: string): void {
  const { lexer, family } = context;
  const at = lexer.start;
  const written = lexer.accept("ip") ? "ip" : lexer.accept("ip6") ? "ip6" : undefined;
  if (written !== undefined && family !== "inet" && family !== written)
    lexer.fail("wrong-family", `a table of family ${family} holds no addresses of ${written}`, at);
  if (lexer.accept("addr")) {
    lexer.expect(".", "and port after addr");
    lexer.expect("port", "after addr");
  }
  lexer.expect("to", `after ${word}`);
  const of = written ?? (family === "inet" ? undefined : family);
  if (!lexer.is(":")) readAddresses(context, target, of, written);
  if (lexer.accept(":")) readPorts(context, target);
}

function readAddresses(context: Context, target: Target, of: Family | undefined, written: Family | undefined): void {
  const { lexer, family } = context;
  if (of === undefined && !lexer.is("[") && (beginsExpression(lexer) || lexer.is("@")))
    lexer.fail("missing-family", "in a table of family inet, dnat and snat say ip or ip6 before to");
  if (beginsExpression(lexer)) {
    const operands = readConcatenation(lexer);
    lexer.expect("map", "and a map of addresses after what is looked up");
    const address = dataTypes[of === "ip6" ? "ipv6_addr" : "ipv4_addr"];
    const map = readDataMap(
      context,
      operands.map(({ type }) => type),
      address,
    );
    const key = operands.map(
      ({ expression }) => expression ?? lexer.fail("foreign-key", "this key cannot be made of fields of the language"),
    );
    target.mapped.addresses = { kind: "map", key: key as Expression[], map };
    if (written !== undefined && typeof map === "string") target.family = written;
    return;
  }
  const first = readAddress(lexer, of);
  let range: KeyPart = first;
  if (lexer.accept("-")) {
    const last = readAddress(lexer, of);
    if (isMasked(first) && isMasked(last)) range = { first: first.value, last: last.value };
  }
  if (isMasked(range)) {
    const { first: low, last: high } = intervalOf(range);
    const ends = familyOf(range.value);
    target.to.addresses = [integerToAddress(low, ends), integerToAddress(high, ends)];
  } else if (isSpan(range)) target.to.addresses = [range.first, range.last];
  if (family === "inet" && of === undefined && written === undefined && !isMasked(first))
    lexer.fail("bad-address", "expected an address");
}

function readAddress(lexer: Lexer, of: Family | undefined): KeyPart {
  const bracket = lexer.accept("[");
  const type =
    of === "ip6" || (of === undefined && (bracket || lexer.word.includes(":")))
      ? dataTypes.ipv6_addr
      : dataTypes.ipv4_addr;
  const part = readPart(lexer, type);
  if (bracket) lexer.expect("]", "after the address");
  return part;
}

/** A map to addresses, or to addresses with ports. */
function readDataMap(context: Context, types: readonly DataType[], address: DataType): MapExpression["map"] {
  const { lexer, uses } = context;
  if (lexer.is("@")) return readSet<never>(lexer, types, [address], uses);
  const withPort = /^\{[^,}]*?\s:\s*(\$\w+|[^\s,}]+)\s+\.\s/.test(lexer.text.slice(lexer.start, lexer.start + 400));
  return readSet<never>(lexer, types, withPort ? [address, dataTypes.inet_service] : [address], uses);
}

function readPorts(context: Context, target: Target): void {
  const { lexer, uses } = context;
  if (beginsExpression(lexer)) {
    const operands = readConcatenation(lexer);
    lexer.expect("map", "and a map of ports after what is looked up");
    const map = readSet<never>(
      lexer,
      operands.map(({ type }) => type),
      [dataTypes.inet_service],
      uses,
    );
    const key = operands.map(
      ({ expression }) => expression ?? lexer.fail("foreign-key", "this key cannot be made of fields of the language"),
    );
    target.mapped.ports = { kind: "map", key: key as Expression[], map };
    return;
  }
  const ports = readPart(lexer, dataTypes.inet_service);
  if (isNumbers(ports)) target.to.ports = ports as PortRange;
}

function readFlags(lexer: Lexer, to: Writable<NatRange>): void {
  for (;;) {
    const flag = flags.find(([name]) => lexer.is(name));
    if (flag === undefined) return;
    lexer.next();
    to[flag[1]] = true;
    lexer.accept(",");
  }
}

function hasPorts(map: MapExpression | undefined): boolean {
  return map !== undefined && typeof map.map !== "string" && map.map[0]?.data.length === 2;
}

function dataTypesOf({ map }: MapExpression): DataType[] {
  const data = typeof map === "string" ? [] : (map[0]?.data ?? []);
  return data.map((part) => {
    if (isNumbers(part)) return dataTypes.inet_service;
    const address = isMasked(part) ? part.value : isSpan(part) ? part.first : 0;
    return typeof address === "number" ? dataTypes.ipv4_addr : dataTypes.ipv6_addr;
  });
}

function familyOfTarget(
  { addresses }: NatRange,
  map: MapExpression | undefined,
  family: TableFamily,
): Family | undefined {
  if (addresses !== undefined) return familyOf(addresses[0]);
  if (map === undefined) return undefined;
  const [type] = dataTypesOf(map);
  return type === undefined ? (family === "inet" ? undefined : family) : type.name === "ipv4_addr" ? "ip" : "ip6";
}

function printAddresses([first, last]: readonly [Address, Address], ported: boolean): string {
  const bracket = (address: Address): string =>
    ported && typeof address !== "number" ? `[${formatAddress(address)}]` : formatAddress(address);
  if (sameAddress(first, last)) return bracket(first);
  const prefix = prefixOf({ first: addressToInteger(first), last: addressToInteger(last) }, familyOf(first));
  return prefix === undefined || (ported && typeof first !== "number")
    ? `${bracket(first)}-${bracket(last)}`
    : printMasked(prefix);
}

const printPorts = ([first, last]: PortRange): string => (first === last ? String(first) : `${first}-${last}`);
