// Text guests (test/guests/wat/*.wat): assembled and instrumented by the published instrumenter. They need no compiler,
// so that the specification runs on every machine. How to instrument one stands in its first lines: `;; instrument: ...`.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import binaryen from 'binaryen';

const SOURCES = fileURLToPath(new URL('wat/', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Writes build/guests/NAME.wasm and build/guests/NAME.fibers.wasm for each. */
export async function buildTextGuests() {
  const target = path.join(ROOT, 'build/guests');
  const { instrument } = await import(path.join(ROOT, 'build/host/instrument/index.js'));
  mkdirSync(target, { recursive: true });
  for (const file of readdirSync(SOURCES).filter((each) => each.endsWith('.wat'))) {
    const name = path.basename(file, '.wat');
    const text = readFileSync(path.join(SOURCES, file), 'utf8');
    const plain = assemble(text);
    const { wasm } = await instrument(plain, optionsIn(text));
    writeFileSync(path.join(target, `${name}.wasm`), plain);
    writeFileSync(path.join(target, `${name}.fibers.wasm`), wasm);
  }
}

/** The command line in the first lines, in the CLI's own spelling. */
function optionsIn(text) {
  const args = [...text.matchAll(/^;; instrument: (.*)$/gm)].flatMap((match) => match[1].split(' '));
  const { values } = parseArgs({
    args,
    options: {
      suspending: { type: 'string', multiple: true },
      allocator: { type: 'string' },
      remove: { type: 'string', multiple: true },
    },
  });
  return { ...values };
}

function assemble(text) {
  const module = binaryen.parseText(text);
  module.setFeatures(
    binaryen.Features.MutableGlobals |
      binaryen.Features.SignExt |
      binaryen.Features.BulkMemory |
      binaryen.Features.BulkMemoryOpt |
      binaryen.Features.Multivalue |
      binaryen.Features.ReferenceTypes |
      binaryen.Features.ExceptionHandling |
      binaryen.Features.TailCall,
  );
  if (!module.validate()) throw new Error('A text guest is not valid; see above.');
  // Names, so that lists and error messages can speak of functions.
  binaryen.setDebugInfo(true);
  const bytes = module.emitBinary();
  binaryen.setDebugInfo(false);
  module.dispose();
  return bytes;
}
