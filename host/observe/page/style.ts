/**
 * The style sheet that pages share: light and dark, as the reader's system has it. Nothing moves: with thousands of areas,
 * transitions cost more than all the rest, and some readers cannot bear them.
 */
export const SHARED_STYLE: string = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --ink: #1d1f21; --soft: #5c6166; --line: #d5d8db; --card: #ffffff; --accent: #0b57d0;
  --frame: #eceef0; --mark: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181a; --ink: #e8eaec; --soft: #9ba1a7; --line: #363b40; --card: #1f2225; --accent: #8ab4f8;
    --frame: #24282c; --mark: #ff8a80;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--page); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; }
header, main, footer { max-width: 1500px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 18px; }
footer { padding-bottom: 30px; color: var(--soft); }
h1 { margin: 0; font-size: 21px; overflow-wrap: anywhere; }
h2 { display: flex; align-items: baseline; margin: 0 0 8px; font-size: 16px; overflow-wrap: anywhere; }
h3 { margin: 14px 0 4px; font-size: 12px; text-transform: uppercase; letter-spacing: .05em; color: var(--soft); }
bdi { unicode-bidi: isolate; }
button { font: inherit; color: inherit; background: none; border: 0; padding: 0; text-align: inherit; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; border-radius: 3px; }
.link { color: var(--accent); overflow-wrap: anywhere; }
.link:hover { text-decoration: underline; }
.note { color: var(--soft); }
.summary { display: flex; flex-wrap: wrap; gap: 10px 34px; margin: 12px 0 16px; padding: 0; }
.summary div { min-width: 90px; }
.summary dt { font-size: 12px; color: var(--soft); }
.summary dd { margin: 0; font-size: 18px; font-variant-numeric: tabular-nums; }
.bar { display: flex; flex-wrap: wrap; gap: 10px 18px; align-items: center; margin: 10px 0; }
.bar input { flex: 1 1 220px; max-width: 420px; padding: 7px 10px; font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; }
[role=tablist] { display: flex; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
[role=tab] { padding: 6px 14px; background: var(--card); }
[role=tab][aria-selected=true] { background: var(--accent); color: var(--page); }
#found { min-width: 150px; color: var(--soft); }
#legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 6px 0; padding: 0; list-style: none; }
#legend button { display: flex; align-items: center; padding: 1px 6px; margin-left: -6px; border-radius: 5px; }
#legend button:hover, #legend button[aria-pressed=true] { background: var(--frame); }
#legend button[aria-pressed=true] { box-shadow: inset 0 0 0 1px var(--mark); }
.dot { flex: none; display: inline-block; width: 11px; height: 11px; margin-right: 6px; border-radius: 3px; border: 1px solid #0003; }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) 330px; gap: 18px; align-items: start; }
aside { position: sticky; top: 10px; max-height: calc(100vh - 20px); overflow: auto; padding: 14px 16px; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; }
aside dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 12px; margin: 0; }
aside dt { color: var(--soft); }
aside dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th { font-size: 12px; font-weight: 600; color: var(--soft); text-align: left; }
td, th { padding: 3px 12px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child { overflow-wrap: anywhere; }
tr.chosen td { background: color-mix(in srgb, var(--accent) 16%, transparent); }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
#table { max-height: 70vh; overflow: auto; }
#table thead th { position: sticky; top: 0; background: var(--page); }
.more { margin: 8px 0; color: var(--accent); }
kbd { padding: 0 5px; border: 1px solid var(--line); border-radius: 4px; font: 12px ui-monospace, monospace; }
@media (max-width: 900px) {
  .columns { grid-template-columns: minmax(0, 1fr); }
  aside { position: static; max-height: none; }
  td, th { padding-right: 6px; }
  header, main, footer { padding-left: 14px; padding-right: 14px; }
}
`;
