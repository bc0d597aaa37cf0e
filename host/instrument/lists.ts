/**
 * Names with `*` as a wildcard, as lists of imports and functions are given, and the near matches to suggest for one that
 * matches nothing: a misspelt name must never be silently accepted, since the module would corrupt itself later.
 */

export function wildcard(pattern: string): (name: string) => boolean {
  if (!pattern.includes('*')) return (name) => name === pattern;
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^]*');
  const expression = new RegExp(`^${source}$`, 'u');
  return (name) => expression.test(name);
}

/** Names close to `wanted`, best first: few edits apart, or one containing the other. */
export function nearMatches(wanted: string, names: Iterable<string>, limit: number = 3): string[] {
  const target = wanted.replaceAll('*', '').toLowerCase();
  if (target === '') return [];
  const scored: { name: string; score: number }[] = [];
  for (const name of new Set(names)) {
    const candidate = name.toLowerCase();
    const contained = candidate.includes(target) || (candidate.length > 3 && target.includes(candidate));
    const edits = contained ? 1 : distance(target, candidate);
    if (edits <= Math.max(2, target.length / 3)) scored.push({ name, score: edits });
  }
  return scored
    .sort((a, b) => a.score - b.score || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, limit)
    .map((each) => each.name);
}

/** `a, b, c and 12 more`. */
export function enumerate(items: readonly string[], limit: number = 5): string {
  const shown = items.slice(0, limit).join(', ');
  return items.length <= limit ? shown : `${shown} and ${items.length - limit} more`;
}

/** Levenshtein distance, with names too different in length to matter cut short. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
