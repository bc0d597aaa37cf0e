// The backend that this run tests, which its environment says (test/environments/list.mjs): nothing of the specification
// asks the engine, so that no run can test another backend than the one it is named after.
import { inject } from 'vitest';
import type { BackendKind } from 'wasm-fibers';

declare module 'vitest' {
  // Augmented by declaration merging, which only interfaces can do.
  interface ProvidedContext {
    /** The backend that every guest of the run must have. */
    backend: BackendKind;
    /** Are guests given as pairs of modules, from which the backend is chosen, or as the one module that fits? */
    pairs: boolean;
    /** Does the engine of the run have JSPI, the environment says? */
    engineHasJspi: boolean;
    /** What part of their iterations random tests do here: 1 is all of them. */
    effort: number;
  }
}

export const backend: BackendKind = inject('backend');
export const pairs: boolean = inject('pairs');
export const engineHasJspi: boolean = inject('engineHasJspi');

/**
 * Registers tests on one backend, as they have no meaning on the other.
 *
 * @param _key the row of the table 'What is tested on one backend only' in docs/backends.md that says why; a test of the
 * house compares the two (test/house/backends.test.ts)
 */
export function onlyOn(kind: BackendKind, _key: string, register: () => void): void {
  if (backend === kind) register();
}

/** What is expected where the backends differ in what can be seen; which tests there are is for `onlyOn` alone. */
export const perBackend = <T>(expected: Readonly<Record<BackendKind, T>>): T => expected[backend];

/** How many of `all` iterations a random test does in this environment; never none. */
export const iterations = (all: number): number => Math.max(1, Math.round(all * inject('effort')));
