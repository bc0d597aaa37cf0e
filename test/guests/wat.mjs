// Text guests (test/guests/wat/*.wat): assembled and instrumented by the published instrumenter. They need no compiler,
// so that the specification runs on every machine. How to instrument one stands in its first lines: `;; instrument: ...`,
// and `;; target: jspi` for what can be instrumented for nothing else.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import binaryen from 'binaryen';
import { TARGETS } from './list.mjs';

const SOURCES = fileURLToPath(new URL('wat/', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Writes build/guests/NAME.wasm, and what becomes of it for each backend. Returns the names of the files. */
export async function buildTextGuests() {
  const folder = path.join(ROOT, 'build/guests');
  const { instrument } = await import(path.join(ROOT, 'build/host/instrument/index.js'));
  mkdirSync(folder, { recursive: true });
  const written = [];
  const write = (file, bytes) => {
    writeFileSync(path.join(folder, file), bytes);
    written.push(file);
  };
  for (const file of readdirSync(SOURCES).filter((each) => each.endsWith('.wat'))) {
    const name = path.basename(file, '.wat');
    const text = readFileSync(path.join(SOURCES, file), 'utf8');
    const plain = assemble(text);
    write(`${name}.wasm`, plain);
    for (const { target, extension } of targetsOf(text)) {
      const { wasm } = await instrument(plain, { target, ...optionsIn(text, target) });
      write(`${name}${extension}`, wasm);
    }
  }
  return written;
}

/** The targets that a guest can be instrumented for. */
function targetsOf(text) {
  const only = /^;; target: (\w+)$/m.exec(text)?.[1];
  return TARGETS.filter(({ target }) => only === undefined || target === only);
}

/** The command line in the first lines, in the CLI's own spelling. Lists of functions mean nothing for JSPI. */
function optionsIn(text, target) {
  const args = [...text.matchAll(/^;; instrument: (.*)$/gm)].flatMap((match) => match[1].split(' '));
  const { values } = parseArgs({
    args,
    options: {
      suspending: { type: 'string', multiple: true },
      allocator: { type: 'string' },
      remove: { type: 'string', multiple: true },
      metered: { type: 'boolean' },
      'memory-pages': { type: 'string' },
      'table-elements': { type: 'string' },
      'call-depth': { type: 'string' },
    },
  });
  const { 'memory-pages': pages, 'table-elements': elements, 'call-depth': depth, ...options } = values;
  const limits = { memoryPages: pages, tableElements: elements, callDepth: depth };
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  if (given.length > 0) options.limits = Object.fromEntries(given.map(([name, value]) => [name, Number(value)]));
  if (target === 'jspi') delete options.remove;
  return options;
}

function assemble(text) {
  const module = binaryen.parseText(text);
  // Typed function references are part of the proposal that this one names.
  const more = text.includes('call_ref') ? binaryen.Features.GC : 0;
  module.setFeatures(
    binaryen.Features.MutableGlobals |
      binaryen.Features.SignExt |
      binaryen.Features.BulkMemory |
      binaryen.Features.BulkMemoryOpt |
      binaryen.Features.Multivalue |
      binaryen.Features.ReferenceTypes |
      binaryen.Features.ExceptionHandling |
      binaryen.Features.TailCall |
      more,
  );
  if (!module.validate()) throw new Error('A text guest is not valid; see above.');
  // Names, so that lists and error messages can speak of functions.
  binaryen.setDebugInfo(true);
  const bytes = module.emitBinary();
  binaryen.setDebugInfo(false);
  module.dispose();
  return bytes;
}
