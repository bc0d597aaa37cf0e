/**
 * In which forms a module is instrumented to be compared: the one list that decides it, for the fuzzer and for the
 * specification tests.
 */
import type { InstrumentOptions } from '../../host/instrument/index.ts';

export type Level = '-O0' | '-O1' | '-O2' | '-O3' | '-O4' | '-Os' | '-Oz';
export type Way = 'jumps' | 'asyncify' | 'jspi';

/** Command line names of the levels. */
export const LEVELS: Readonly<Record<Level, Partial<InstrumentOptions>>> = {
  '-O0': { optimizeLevel: 0, shrinkLevel: 0 },
  '-O1': { optimizeLevel: 1, shrinkLevel: 0 },
  '-O2': { optimizeLevel: 2, shrinkLevel: 0 },
  '-O3': { optimizeLevel: 3, shrinkLevel: 0 },
  '-O4': { optimizeLevel: 4, shrinkLevel: 0 },
  '-Os': { optimizeLevel: 2, shrinkLevel: 1 },
  '-Oz': { optimizeLevel: 2, shrinkLevel: 2 },
};

/** Ways of instrumenting beside the level, by a word for each; one line more is one way more. */
export const WAYS: Readonly<Record<Way, Partial<InstrumentOptions>>> = {
  jumps: { target: 'asyncify', fastPath: true },
  asyncify: { target: 'asyncify', fastPath: false },
  jspi: { target: 'jspi' },
};

/** The words of all ways that this engine can run. */
export function possibleWays(): [Way, ...Way[]] {
  const hasJspi = 'Suspending' in WebAssembly;
  const [first = 'asyncify', ...others] = (Object.keys(WAYS) as Way[]).filter(
    (way) => hasJspi || WAYS[way].target !== 'jspi',
  );
  return [first, ...others];
}

export const ALL_LEVELS: [Level, ...Level[]] = Object.keys(LEVELS) as [Level, ...Level[]];
