/**
 * `wasm-fibers/trace`: what fibers do, recorded: as events, as a file for the viewers of traces that there are (Perfetto,
 * Chromium, speedscope), and as a page to look at.
 *
 *     const recorder = new FiberRecorder();
 *     const guest = await instantiate(url, imports, { onEvent: recorder.listener('app') });
 *     await guest.exports.run(1);
 *     await writeFile('trace.html', recorder.toHTML());
 *
 * It needs no package and nothing of Node.
 */
export type { RecordedError, RecordedEvent, RecordedFiber } from './events.ts';
export { FiberRecorder } from './recorder.ts';
export type { PageOptions, RecorderOptions } from './recorder.ts';
export type { TraceEvent, TraceFile } from './trace-events.ts';
