/** Names of the files of a pair: `app.wasm` becomes `app.asyncify.wasm` and `app.jspi.wasm`, `app.wasm.map` likewise. */
import type { Target } from '../instrument/index.ts';

export const TARGETS: readonly Target[] = ['asyncify', 'jspi'];

/** A file or URL of one target, by that of the pair. */
export function ofTarget(name: string, target: Target): string {
  const [, stem = '', kind = '', query = ''] = /^(.*?)((?:\.wasm)?(?:\.map)?)([?#].*)?$/s.exec(name) ?? [];
  // Without an ending the module still gets its own: the pair is two files that nobody has named in full.
  // Whoever names one of the pair means the pair.
  const own = stem.replace(/\.(?:asyncify|jspi)$/, '');
  return `${own}.${target}${kind === '' ? '.wasm' : kind}${query}`;
}
