// Hostile modules: what an instrumented module looks like from outside, with one thing about it a lie.
import binaryen from 'binaryen';

export interface Parts {
  /** Bodies of the switching controls, in place of honest ones. */
  readonly startUnwind?: string;
  readonly stopUnwind?: string;
  readonly startRewind?: string;
  readonly stopRewind?: string;
  /** Body of the export that the embedder calls: (param i32) (result i32). */
  readonly attack?: string;
  readonly malloc?: string;
  /** More fields of the module. */
  readonly more?: string;
  /** Leaves out the export of this name. */
  readonly without?: string;
  readonly memory?: string;
  /** Over the honest metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** It waits for ever of its own will: its calls end when the guest is disposed of. */
  readonly endless?: boolean | 'mixes up its fibers';
  /** Its functions jump to where they go on; null or nothing for Binaryen's. */
  readonly signals?: Signals;
}

export interface JspiParts extends Pick<
  Parts,
  'attack' | 'malloc' | 'more' | 'without' | 'memory' | 'metadata' | 'endless'
> {
  /** What `set_pending` does besides. */
  readonly setPending?: string;
  /** What the shims do besides. */
  readonly beforeSuspend?: string;
  readonly afterSuspend?: string;
  readonly afterArrive?: string;
}

/** With an empty frame this is what an instrumented function does: it asks again when it is called to rewind. */
const HONEST_ATTACK = '(call $wait (local.get 0))';

const IMPORTS = ['wait', 'wait2', 'note', 'invoke_i'].map((name) => ({
  module: 'env',
  name,
  params: ['i32'],
  results: ['i32'],
  suspending: name !== 'note',
}));

export const METADATA: Readonly<Record<string, unknown>> = {
  version: 3,
  target: 'asyncify',
  source: '00',
  imports: IMPORTS,
  largestFrame: 16,
  stack: null,
  allocator: { kind: 'exports', alloc: 'malloc', free: 'free' },
  start: false,
  catchDepth: false,
  globals: [],
  metered: false,
  options: {},
};

export const METADATA_JSPI: typeof METADATA = { ...METADATA, target: 'jspi', largestFrame: 0 };

const FEATURES =
  binaryen.Features.MutableGlobals |
  binaryen.Features.BulkMemory |
  binaryen.Features.BulkMemoryOpt |
  binaryen.Features.SIMD128 |
  binaryen.Features.ReferenceTypes |
  binaryen.Features.Multivalue |
  binaryen.Features.ExceptionHandling |
  binaryen.Features.Atomics;

/** What a module does that takes its signals from the window, in place of what an honest one does, or besides. */
export interface Signals {
  readonly beforeEnter?: string;
  readonly afterEnter?: string;
  /** Where the host has given a promise. */
  readonly unwinding?: string;
  /** Where it takes the value; `arrives` says when. */
  readonly arriving?: string;
  readonly arrives?: string;
  /** The number that it says its outermost function has. */
  readonly outermost?: number;
  /** Where its frame is saved, and where it is loaded. */
  readonly saving?: string;
  readonly loading?: string;
}

/**
 * The same with functions in the place of its imports and a way in by number: host/instrument/passes/waits.ts says what they
 * do. `attack` has a frame of one word, its parameter.
 */
function signalling({ attack }: Parts, signals: Signals): string {
  const arrives = (number: number): string =>
    signals.arrives ?? `(i32.eq (i32.load offset=16 (global.get $data)) (i32.const ${number}))`;
  const wait = (name: string, number: number): string =>
    `(func $${name} (param i32) (result i32) (local $value i32)
       (if (i32.eq (global.get $state) (i32.const 2)) (then
         (if ${arrives(number)} (then
           ${signals.arriving ?? '(i32.store offset=16 (global.get $data) (i32.const 0)) (global.set $state (i32.const 0))'}
           (return (i32.load offset=24 (global.get $data)))))))
       (local.set $value (call $import_${name} (local.get 0)))
       (if (global.get $data) (then (if (i32.load offset=16 (global.get $data)) (then
         (global.set $state (i32.const 1)) ${signals.unwinding ?? ''}))))
       (local.get $value))`;
  return `
    (global $result (mut i32) (i32.const 0))
    ${wait('wait', 1)} ${wait('wait2', 2)} ${wait('invoke', 4)}
    (func $frameless (param i32) (result i32) ${attack ?? HONEST_ATTACK})
    (func $attack (export "attack") (param i32) (result i32) (local $value i32)
      (if (i32.eq (global.get $state) (i32.const 2)) (then
        (if (i32.le_u (i32.load (global.get $data)) (i32.add (global.get $data) (i32.const 32))) (then
          (drop (call $refill)) (return (global.get $result))))
        (i32.store (global.get $data) (i32.sub (i32.load (global.get $data)) (i32.const 4)))
        ${signals.loading ?? ''}
        (local.set 0 (i32.load (i32.load (global.get $data))))))
      (local.set $value (call $frameless (local.get 0)))
      (if (i32.eq (global.get $state) (i32.const 1)) (then
        (i32.store (i32.load (global.get $data)) (local.get 0))
        (i32.store (global.get $data) (i32.add (i32.load (global.get $data)) (i32.const 4)))
        (i32.store offset=12 (global.get $data) (i32.const ${signals.outermost ?? 1}))
        ${signals.saving ?? ''}))
      (local.get $value))
    (func $enter (export "wasm-fibers.enter") (param i32)
      ${signals.beforeEnter ?? ''}
      (global.set $state (i32.const 2))
      (if (i32.ne (local.get 0) (i32.const 1)) (then (unreachable)))
      (global.set $result (call $attack (i32.const 0)))
      (global.set $state (i32.const 0))
      ${signals.afterEnter ?? ''})`;
}

export function hostile(parts: Parts): Uint8Array<ArrayBuffer> {
  const { without, signals } = parts;
  const exported = (name: string): string => (name === without ? '' : `(export "${name}")`);
  const imported = signals === undefined ? '' : 'import_';
  const text = `(module
    (import "env" "wait" (func $${imported}wait (param i32) (result i32)))
    (import "env" "wait2" (func $${imported}wait2 (param i32) (result i32)))
    (import "env" "note" (func $note (param i32) (result i32)))
    (import "env" "invoke_i" (func $${imported}invoke (param i32) (result i32)))
    (import "wasm-fibers" "drain" (func $drain (param i32) (result i32)))
    (import "wasm-fibers" "refill" (func $refill (result i32)))
    (import "wasm-fibers" "stack_overflow" (func $overflow (param i32)))
    (memory ${exported('memory')} ${parts.memory ?? '2'})
    (global $state (mut i32) (i32.const 0))
    (global $data (mut i32) (i32.const 0))
    (global $turns (mut i32) (i32.const 0))
    (func ${exported('asyncify_start_unwind')} (param i32)
      (global.set $state (i32.const 1)) (global.set $data (local.get 0)) ${parts.startUnwind ?? ''})
    (func ${exported('asyncify_stop_unwind')} (global.set $state (i32.const 0)) ${parts.stopUnwind ?? ''})
    (func ${exported('asyncify_start_rewind')} (param i32)
      (global.set $state (i32.const 2)) (global.set $data (local.get 0)) ${parts.startRewind ?? ''})
    (func ${exported('asyncify_stop_rewind')} (global.set $state (i32.const 0)) ${parts.stopRewind ?? ''})
    ${
      signals === undefined
        ? `(func $attack (export "attack") (param i32) (result i32) ${parts.attack ?? HONEST_ATTACK})`
        : signalling(parts, signals)
    }
    (func ${exported('malloc')} (param i32) (result i32) ${parts.malloc ?? '(i32.const 65536)'})
    (func ${exported('free')} (param i32))
    ${parts.more ?? ''})`;
  return withSection(assemble(text), JSON.stringify({ ...METADATA, ...parts.metadata }));
}

/** The same for JSPI, whose modules have other controls; `attack` may use them all. */
export function hostileJspi(parts: JspiParts): Uint8Array<ArrayBuffer> {
  const { without } = parts;
  const exported = (name: string): string => (name === without ? '' : `(export "${name}")`);
  const shim = (name: string): string =>
    `(func $${name} (param i32) (result i32) (local $token i32) (local $value i32)
       (local.set $value (call $import_${name} (local.get 0)))
       (if (i32.eqz (global.get $pending)) (then (return (local.get $value))))
       (loop $again
         (local.set $token (global.get $pending))
         (global.set $pending (i32.const 0))
         ${parts.beforeSuspend ?? ''}
         (call $suspend)
         ${parts.afterSuspend ?? ''}
         (local.set $value (call $arrive (local.get $token)))
         (br_if $again (global.get $pending)))
       ${parts.afterArrive ?? ''}
       (local.get $value))`;
  const text = `(module
    (import "env" "wait" (func $import_wait (param i32) (result i32)))
    (import "env" "wait2" (func $import_wait2 (param i32) (result i32)))
    (import "env" "note" (func $note (param i32) (result i32)))
    (import "env" "invoke_i" (func $invoke (param i32) (result i32)))
    (import "wasm-fibers" "suspend" (func $suspend))
    (import "wasm-fibers" "arrive.0" (func $arrive (param i32) (result i32)))
    (import "wasm-fibers" "returned.0" (func $returned (param i32)))
    (import "wasm-fibers" "stack_overflow" (func $overflow (param i32)))
    (memory ${exported('memory')} ${parts.memory ?? '2'})
    (global $pending (mut i32) (i32.const 0))
    (global $turns (mut i32) (i32.const 0))
    (func ${exported('wasm-fibers.set_pending')} (param i32)
      (global.set $pending (local.get 0)) ${parts.setPending ?? ''})
    ${shim('wait')} ${shim('wait2')}
    (func $attack (export "attack") (param i32) (result i32) ${parts.attack ?? HONEST_ATTACK})
    (func ${exported('malloc')} (param i32) (result i32) ${parts.malloc ?? '(i32.const 65536)'})
    (func ${exported('free')} (param i32))
    ${parts.more ?? ''})`;
  return withSection(assemble(text), JSON.stringify({ ...METADATA_JSPI, ...parts.metadata }));
}

export function assemble(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(FEATURES);
  if (!module.validate()) throw new Error(`not valid: ${text}`);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

/** The module with a custom section `wasm-fibers` at its end, behind whatever it has. */
export function withSection(bytes: Uint8Array, content: string | Uint8Array): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode('wasm-fibers');
  const body = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  const section = [0, ...leb(1 + name.length + body.length), name.length, ...name];
  const result = new Uint8Array(bytes.length + section.length + body.length);
  result.set(bytes);
  result.set(section, bytes.length);
  result.set(body, bytes.length + section.length);
  return result;
}

/** The module without any custom section. */
export function withoutSections(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const kept: number[][] = [[...bytes.subarray(0, 8)]];
  for (let at = 8; at < bytes.length;) {
    const from = at;
    const id = bytes[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
    if (id !== 0) kept.push([...bytes.subarray(from, at)]);
  }
  return Uint8Array.from(kept.flat());
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest & 127) | 128);
  }
}
