/** Handlers that put the functions of this entry where errors pass by. */
import { parseStack } from './frames.ts';
import { mapError } from './map-error.ts';
import type { SourceMap } from './source-map.ts';

/** A map, a promise of one, or what loads it when it is needed. */
export type MapLoader = SourceMap | PromiseLike<SourceMap> | (() => SourceMap | PromiseLike<SourceMap>);

/**
 * Makes a handler for `catch` that maps an error and throws it on. Given functions, it loads the maps at the first error
 * and never else. A map that cannot be loaded is mentioned at the end of the stack; the error is still the guest's.
 *
 * @example
 * const mapped = mapErrors(() => loadSourceMap(new URL('app.wasm', import.meta.url)));
 * await guest.exports.run().catch(mapped);
 */
export function mapErrors(...loaders: readonly MapLoader[]): (error: unknown) => Promise<never> {
  let loading: Promise<PromiseSettledResult<SourceMap>[]> | null = null;
  const load = (): Promise<PromiseSettledResult<SourceMap>[]> =>
    (loading ??= Promise.allSettled(loaders.map(async (each) => await (typeof each === 'function' ? each() : each))));
  // Nobody else may be there to handle the rejection of a promise that was given.
  if (loaders.some((each) => typeof each !== 'function')) void load();
  return async (error) => {
    const outcomes = await load();
    const maps = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    if (maps.length > 0) mapError(error, ...maps);
    const failed = outcomes.filter((each) => each.status === 'rejected').map((each) => String(each.reason));
    if (failed.length > 0)
      append(
        error,
        failed.map((reason) => `    (not mapped: ${reason})`),
      );
    throw error;
  };
}

/**
 * For the option `onReject`: what the host rejected with was made outside of the guest, so its stack shows no guest frame;
 * this appends those that waited for it, marked `async` as the engines' own are.
 *
 * @returns undefined: the guest gets the error as it is
 * @example
 * const guest = await instantiate(url, imports, { onReject: traceRejection });
 */
export function traceRejection(error: unknown): undefined {
  const { stack = '' } = new Error('');
  const frames = parseStack(stack, '').filter(({ frame, lead }) => frame !== null && !lead.includes('async'));
  const shown = error instanceof Error ? String(error.stack) : '';
  const [innermost] = frames;
  // What the host function threw at once shows these frames by itself.
  if (innermost === undefined || shown.includes(innermost.text.slice(innermost.lead.length))) return;
  append(
    error,
    frames.map(({ text, lead, style }) => (style === 'v8' ? '    at async ' : 'async*') + text.slice(lead.length)),
  );
}

/** An error that is thrown again and again must not grow for ever. Characters. */
const LONG = 100_000;

function append(error: unknown, lines: readonly string[]): void {
  try {
    if (!(error instanceof Error) || lines.length === 0) return;
    const stack = String(error.stack ?? '').replace(/\n$/, '');
    const more = lines.join('\n');
    if (stack.length < LONG && !stack.includes(more)) error.stack = `${stack}\n${more}`;
  } catch {
    // A stack that cannot be read or set stays what it is.
  }
}
