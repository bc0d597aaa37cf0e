/** What is left of a difference in build/fuzz: the modules, as bytes and as text, and how to see it again. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import binaryen from 'binaryen';
import { describeForm } from './case.ts';
import type { Case } from './case.ts';
import type { Reduced } from './reduce.ts';

/** From build/test/proof/fuzz/. */
const FOLDER = fileURLToPath(new URL('../../../fuzz/', import.meta.url));

export function commandFor(seed: number): string {
  return `npm run fuzz -- --seed ${seed} --count 1`;
}

/** @returns the path of the report */
export function writeReport(
  chosen: Case,
  wasm: Uint8Array<ArrayBuffer>,
  what: string,
  smaller: Reduced | null,
): string {
  const folder = path.join(FOLDER, String(chosen.seed));
  mkdirSync(folder, { recursive: true });
  const { recipe, forms, waiting } = chosen;
  const lines = [
    `seed ${chosen.seed}: ${commandFor(chosen.seed)} (Node ${process.versions.node})`,
    `passes: ${recipe.passes.join(' ')}; features: ${recipe.features.join(' ') || 'the usual'}; input of ${recipe.input.length} bytes`,
    ...forms.map((form) => `instrumented as ${describeForm(form)}, ${form.guests} guests`),
    `an import waits with a probability of ${waiting}; ${chosen.suspending === null ? 'all may' : 'some may'}`,
    '',
    what,
  ];
  writeModule(folder, 'module', wasm);
  if (smaller !== null) {
    writeModule(folder, 'reduced', smaller.wasm);
    writeFileSync(path.join(folder, 'reduced.input'), smaller.input);
    lines.push('', `reduced to an input of ${smaller.input.length} bytes:`, '', smaller.what);
  }
  const report = path.join(folder, 'report.txt');
  writeFileSync(report, `${lines.join('\n')}\n`);
  return report;
}

function writeModule(folder: string, name: string, wasm: Uint8Array<ArrayBuffer>): void {
  writeFileSync(path.join(folder, `${name}.wasm`), wasm);
  try {
    const module = binaryen.readBinary(wasm);
    writeFileSync(path.join(folder, `${name}.wat`), module.emitText());
    module.dispose();
  } catch {
    // The bytes are there; Binaryen may have failed before.
  }
}
