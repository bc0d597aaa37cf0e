/** The style sheet of the report's page: what all pages share, and the map. Its colours have text on them, so they are pale. */
import { SHARED_STYLE } from '../../observe/page/style.ts';

export const STYLE: string = `${SHARED_STYLE}
:root {
  --direct: #a9c7f5; --indirect: #f6cf96; --open-table: #eab3d6; --left-out: #f3ec9a; --free: #dfe3e6; --added: #c9cdd1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --direct: #2c5490; --indirect: #8a5a14; --open-table: #803a69; --left-out: #6d671a; --free: #3a4046; --added: #2d3236;
  }
}
#crumbs { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0; padding: 0; list-style: none; }
#crumbs li + li::before { content: '/ '; color: var(--soft); }
#crumbs li.note::before { content: '' !important; }
#map { position: relative; height: 62vh; min-height: 380px; border-radius: 6px; overflow: hidden; background: var(--frame); }
.cell { position: absolute; overflow: hidden; padding: 1px 4px; font-size: 11.5px; line-height: 15px; text-align: left; white-space: nowrap;
  border-radius: 2px; display: flex; flex-direction: column; align-items: flex-start; justify-content: flex-start; }
.cell bdi, .cell small { flex: none; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.cell small { font-size: 10px; opacity: .75; }
.cell:hover { filter: brightness(1.07); }
.cell:focus-visible { outline-offset: -3px; }
.group { background: linear-gradient(90deg, var(--most) var(--share), var(--free) 0); }
.group.framed { background: var(--frame); border: 1px solid var(--line); }
.group.framed { flex-direction: row; gap: 6px; }
.group.framed bdi { flex: 0 1 auto; font-weight: 600; }
.direct { background: var(--direct); } .indirect { background: var(--indirect); } .open-table { background: var(--open-table); }
.left-out { background: var(--left-out); } .free { background: var(--free); } .added { background: var(--added); }
.dimmed { opacity: .22; }
.searched .found { box-shadow: inset 0 0 0 2px var(--mark); } .cell.chosen { box-shadow: inset 0 0 0 3px var(--ink); }
.path { margin: 0; padding-left: 20px; } .path li { overflow-wrap: anywhere; } .how { color: var(--soft); } .import { color: var(--accent); }
section { margin: 24px 0; overflow-x: auto; } section td:first-child { min-width: 8.5em; } section td .note { white-space: nowrap; }
@media (max-width: 900px) { #map { height: 55vh; } section table { font-size: 12.5px; } }
`;
