/**
 * `wasm-fibers/source-maps`: stack traces that name files, lines and columns of a guest's own source, also after its
 * fibers were suspended, in every engine that gives offsets (V8, SpiderMonkey). Any guest with a source map will do.
 *
 *     asc app.ts --sourceMap --transform wasm-fibers/transform -o app.wasm
 *
 *     const map = await loadSourceMap(new URL('app.wasm', import.meta.url));
 *     const guest = await instantiate(url, imports, { onEvent: ({ error }) => void mapError(error, map) });
 *
 * V8 keeps the innermost ten frames only, those of the host included; `Error.stackTraceLimit = 50`, or node's
 * `--stack-trace-limit=50`, makes it keep more. That is for the application to do: nothing global is changed here.
 */
export { formatError } from './format.ts';
export type { FormatOptions } from './format.ts';
export { mapErrors, traceRejection } from './handlers.ts';
export type { MapLoader } from './handlers.ts';
export { loadSourceMap } from './load.ts';
export type { MapSource } from './load.ts';
export { guestFrames, mapError, mapFrames } from './map-error.ts';
export type { GuestFrame } from './map-error.ts';
export type { SourceMap } from './source-map.ts';
