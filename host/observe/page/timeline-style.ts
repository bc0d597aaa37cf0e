/** The style sheet of the timeline's page. What is drawn on the canvas takes its colours from here too. */
import { SHARED_STYLE } from './style.ts';

export const STYLE: string = `${SHARED_STYLE}
:root {
  --running: #1a66d6; --waiting: #dde5f0; --waiting-line: #a3b7d3; --preempted: #f3c37a; --preempted-line: #b8750d;
  --queued: #fbfbfa; --queued-line: #8a9098; --ok: #1e7d34; --failed: #b3261e; --cancelled: #9a5b00; --alive: #5c6166;
}
@media (prefers-color-scheme: dark) {
  :root {
    --running: #5a9dff; --waiting: #2a3442; --waiting-line: #50637d; --preempted: #80530f; --preempted-line: #e0a448;
    --queued: #16181a; --queued-line: #767d85; --ok: #6fce85; --failed: #ff8a80; --cancelled: #efb35c; --alive: #9ba1a7;
  }
}
#lanes { position: relative; height: 62vh; min-height: 300px; overflow: hidden auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; cursor: default; }
#lanes:focus-visible { outline-offset: -3px; }
#lanes.dragged { cursor: grabbing; }
#sizer { min-height: 100%; }
canvas { position: sticky; top: 0; display: block; touch-action: pan-y; }
.line { display: flex; flex-wrap: wrap; gap: 0 18px; min-height: 1.45em; margin: 4px 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
#said { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.zoom { display: flex; border: 1px solid var(--line); border-radius: 6px; }
.zoom button { padding: 6px 13px; background: var(--card); border-radius: 6px; }
.zoom button + button { border-left: 1px solid var(--line); }
#legend li { display: flex; align-items: center; }
.dot.running { background: var(--running); }
.dot.waiting { background: repeating-linear-gradient(135deg, var(--waiting) 0 2px, var(--waiting-line) 2px 3px); }
.dot.preempted { background: repeating-linear-gradient(45deg, var(--preempted) 0 3px, var(--preempted-line) 3px 4px); }
.dot.queued { background: var(--queued); border: 1px dashed var(--queued-line); }
.sign { flex: none; display: inline-block; min-width: 1.1em; margin-right: 4px; font-weight: 700; }
.sign.ok { color: var(--ok); } .sign.failed { color: var(--failed); } .sign.cancelled { color: var(--cancelled); } .sign.alive { color: var(--alive); }
#detail pre { margin: 4px 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 12px/1.4 ui-monospace, monospace; }
#detail .rows { font-size: 13px; } #detail .rows button { text-align: left; }
#detail .rows td:first-child { width: 100%; }
@media (max-width: 900px) { #lanes { height: 55vh; } }
`;
