/**
 * A page as one file that needs nothing else: style sheet, program and data are in it, and its policy forbids it to load
 * anything. What it speaks of may be hostile: text is escaped, and the data are JSON without a character that could end the
 * element that they are in.
 */
import { escaped } from './text.ts';

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A label and what it says. */
export type Fact = readonly [label: string, value: string];

export interface PageParts {
  /** Text, as are the facts. */
  readonly title: string;
  /** The document's title, behind the other one. */
  readonly subtitle: string;
  readonly summary: readonly Fact[];
  readonly style: string;
  /** HTML, in which nothing is left to be escaped. */
  readonly main: string;
  readonly footer: string;
  /** What the program finds in the element `data`. */
  readonly data: unknown;
  /** A module without imports. */
  readonly program: string;
}

export function documentOf({ title, subtitle, summary, style, main, footer, data, program }: PageParts): string {
  const facts = summary.map(([label, value]) => `<div><dt>${escaped(label)}</dt><dd>${escaped(value)}</dd></div>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}: ${escaped(subtitle)}</title>
<style>${style}</style>
<body>
<header>
<h1><bdi>${escaped(title)}</bdi></h1>
<dl class="summary">${facts.join('')}</dl>
</header>
<main>
${main}
</main>
<footer>${footer}</footer>
<script type="application/json" id="data">${json(data)}</script>
<script type="module">
${program}
</script>
`;
}

/** JSON in a script element ends where any tag or comment begins. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
