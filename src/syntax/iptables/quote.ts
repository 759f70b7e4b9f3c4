/**
 * A word as xtables_save_string (libxtables/xtables.c) prints it: bare where every character is a letter, a digit or one of
 * `_-`, else in double quotes with a backslash before `"`, `\` and `'`.
 */
export function quote(text: string): string {
  return /^[A-Za-z0-9_-]+$/.test(text) ? text : `"${text.replace(/["\\']/g, "\\$&")}"`;
}

/** For words iptables prints bare whatever they hold: quoted only where they would not read back as one word. */
export function bare(text: string): string {
  return text === "" || text === "!" || /[\s"]/.test(text) ? quote(text) : text;
}
