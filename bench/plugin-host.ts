/** The plugin of the benchmarks as `wasm-fibers/plugin` runs it, on either backend. */
import { createHash } from 'node:crypto';
import type { BackendKind } from '../host/index.ts';
import { Plugin, textFunction } from '../host/plugin/index.ts';
import { readPlugin } from './plugin-guest.ts';
import { type Job, TIMEOUT, type Translate } from './plugin-job.ts';

/** @param ready was the module instrumented beforehand? */
export async function openPlugin(backend: BackendKind, translate: Translate, ready = false): Promise<Job> {
  const wasm = readPlugin(ready ? backend : null);
  const plugin = await Plugin.load(wasm, {
    backend,
    hostFunctions: { app: { translate: textFunction(translate) } },
    // As many calls of the host as there may be, since it is their time that is measured.
    limits: { timeout: TIMEOUT, callsPerSecond: Number.MAX_SAFE_INTEGER },
    ...(ready && { trusted: [createHash('sha256').update(wasm).digest('hex')] }),
  });
  return {
    next: (x) => plugin.call('next', [x], { as: 'numbers' }),
    shout: (text) => plugin.call('shout', text),
    shoutInGerman: (text) => plugin.call('shoutInGerman', text),
    waitsTogether: true,
  };
}
