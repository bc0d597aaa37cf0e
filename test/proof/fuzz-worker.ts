/**
 * A process of the fuzzer: it is sent seeds and answers with what came of each. Before every step it says what it is about to
 * do, so that whoever waits in vain knows in what it hangs.
 */
import { chooseCase, tryCase } from './case.ts';
import type { Case, Phase, Result } from './case.ts';
import { Workshop } from './generate.ts';
import { writeReport } from './fuzz-report.ts';
import { reduce } from './reduce.ts';

export type Answer =
  | { readonly ready: true }
  | { readonly phase: Phase | 'reducing' }
  | {
      readonly seed: number;
      readonly result: Result;
      /** Where the report of a difference is. */
      readonly report: string | null;
      /** Must the process be replaced? Binaryen is not to be trusted after it has failed. */
      readonly spoilt: boolean;
    };

function answer(message: Answer): void {
  process.send?.(message);
}

const workshop = await Workshop.open();
process.on('exit', () => workshop.close());
process.on('disconnect', () => process.exit());
process.on('message', (seed) => void serve(chooseCase(Number(seed))));
answer({ ready: true });

async function serve(chosen: Case): Promise<void> {
  const { seed } = chosen;
  const note = (phase: Phase): void => answer({ phase });
  const { wasm, result } = await tryCase(workshop, chosen, note);
  let report: string | null = null;
  if (result.kind === 'different') {
    answer({ phase: 'reducing' });
    report = writeReport(chosen, wasm, result.what, await reduce(workshop, chosen));
  }
  answer({ seed, result, report, spoilt: result.kind === 'different' || wasm.length === 0 });
}
