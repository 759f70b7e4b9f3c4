import { printNft, type RuleSet } from "../../src/index.js";

type Table = RuleSet["tables"][number];

/** One transaction that adds to the kernel's rules what `after` has more of chains, and of elements of sets and maps, than `before`. */
export function addMore(before: RuleSet, after: RuleSet): string {
  return printNft(moreOf(before, after));
}

/** One transaction that removes it again. */
export function removeMore(before: RuleSet, after: RuleSet): string {
  const lines = moreOf(before, after).tables.flatMap((table) => {
    const name = `${table.family} ${table.name}`;
    const definitions = [...table.sets, ...table.maps].map((definition) => {
      const elements = /elements = (\{[^}]*\})/.exec(printNft(onlyOf(table, definition.name)))![1];
      return `delete element ${name} ${definition.name} ${elements}`;
    });
    const chains = (verb: string) => table.chains.map((chain) => `${verb} chain ${name} ${chain.name}`);
    return [...definitions, ...chains("flush"), ...chains("delete")];
  });
  return `${lines.join("\n")}\n`;
}

function moreOf(before: RuleSet, after: RuleSet): RuleSet {
  const tables = after.tables.map((table): Table => {
    const old = before.tables.find(({ name, family }) => name === table.name && family === table.family);
    if (old === undefined) return table;
    const chains = new Set(old.chains.map(({ name }) => name));
    const elements = new Set(
      [...old.sets, ...old.maps].flatMap((definition) =>
        definition.elements.map((element) => keyOf(definition.name, element)),
      ),
    );
    const isNew = (definition: string) => (element: { key: unknown }) => !elements.has(keyOf(definition, element));
    return {
      ...table,
      chains: table.chains.filter(({ name }) => !chains.has(name)),
      sets: table.sets
        .map((set) => ({ ...set, elements: set.elements.filter(isNew(set.name)) }))
        .filter(({ elements: more }) => more.length > 0),
      maps: table.maps
        .map((map) =>
          map.value === "verdict"
            ? { ...map, elements: map.elements.filter(isNew(map.name)) }
            : { ...map, elements: map.elements.filter(isNew(map.name)) },
        )
        .filter(({ elements: more }) => more.length > 0),
    };
  });
  return { ...after, tables };
}

function onlyOf(table: Table, definition: string): RuleSet {
  const named = ({ name }: { name: string }) => name === definition;
  return { tables: [{ ...table, chains: [], sets: table.sets.filter(named), maps: table.maps.filter(named) }] };
}

function keyOf(definition: string, { key }: { key: unknown }): string {
  return `${definition} ${JSON.stringify(key)}`;
}
