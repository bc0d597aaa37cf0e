// What hostile modules do that were made for JSPI: they lie to the host about their stacks, of which the engine knows the truth.
import type { JspiParts } from './modules.ts';

const TOKENS = [0, 1, 2, 3, -1, 100, 0x7fffffff, -0x80000000];

const stack = (get: string, set = ''): string =>
  `(global $sp (mut i32) (i32.const 60000))
   (func (export "wasm-fibers.get_stack") (result i32) ${get})
   (func (export "wasm-fibers.set_stack") (param i32 i32 i32) (global.set $sp (local.get 0)) ${set})`;
const HONEST_GET = '(global.get $sp)';
const LLVM = { stack: { kind: 'llvm', low: 1024 } };
const AS = { stack: { kind: 'assemblyscript' } };
const keeper = (save: string, restore: string): string =>
  `${stack('(i32.const 50000)')}
   (func (export "__fibers_save") (param i32 i32) (result i32) ${save})
   (func (export "__fibers_restore") (param i32 i32 i32) ${restore})
   (func (export "__fibers_window") (param i32) (result i32) (i32.const 65536))`;
const ENDLESS =
  '(func $endless (param i32) (result i32) (i32.add (call $endless (local.get 0)) (call $endless (local.get 0))))';
const repeat = (times: number, body: string): string =>
  `(local $i i32)
   (loop $next ${body} (local.set $i (i32.add (local.get $i) (i32.const 1)))
     (br_if $next (i32.lt_u (local.get $i) (i32.const ${times}))))
   (call $wait (local.get 0))`;

/** What it may do at a moment at which the host expects nothing. */
const MISDEEDS: Readonly<Record<string, string>> = {
  traps: 'unreachable',
  waits: '(drop (call $wait (i32.const 1)))',
  'calls the import past its shim': '(drop (call $import_wait (i32.const 1)))',
  suspends: '(call $suspend)',
  arrives: '(drop (call $arrive (i32.const 1)))',
  'says that it has returned': '(call $returned (i32.const 7))',
  'sets what is pending': '(global.set $pending (i32.const 1))',
  'clears what is pending': '(global.set $pending (i32.const 0))',
  'calls back': '(drop (call $note (i32.const 1)))',
  'calls a trampoline': '(drop (call $invoke (i32.const 1)))',
  'runs the attack once more': `(if (i32.lt_u (global.get $turns) (i32.const 3)) (then
     (global.set $turns (i32.add (global.get $turns) (i32.const 1))) (drop (call $attack (i32.const 1)))))`,
  'recurses for ever': '(drop (call $endless (i32.const 1)))',
  'grows the memory': '(drop (memory.grow (i32.const 1)))',
  'reports an overflow': '(call $overflow (i32.const -1))',
};

function misdeeds(): [string, JspiParts][] {
  return Object.entries(MISDEEDS).flatMap(([what, body]): [string, JspiParts][] => [
    [`set_pending ${what}`, { setPending: body, more: ENDLESS }],
    [`before it suspends it ${what}`, { beforeSuspend: body, more: ENDLESS }],
    [`after it was continued it ${what}`, { afterSuspend: body, more: ENDLESS }],
    [`after it has arrived it ${what}`, { afterArrive: body, more: ENDLESS, endless: what === 'waits' }],
    [`before it waits it ${what}`, { attack: `${body} (call $wait (local.get 0))`, more: ENDLESS }],
    [`before it ends it ${what}`, { attack: `(call $wait (local.get 0)) ${body}`, more: ENDLESS }],
    [
      `catches what comes of it when it ${what}`,
      {
        attack: `(try (do ${body}) (catch_all (drop (call $wait (i32.const 2))))) (call $wait (local.get 0))`,
        more: ENDLESS,
      },
    ],
    [`malloc ${what}`, { malloc: `${body} (i32.const 65536)`, metadata: LLVM, more: ENDLESS + stack(HONEST_GET) }],
    [`get_stack ${what}`, { metadata: LLVM, more: ENDLESS + stack(`${body} ${HONEST_GET}`) }],
    [`set_stack ${what}`, { metadata: LLVM, more: ENDLESS + stack(HONEST_GET, body) }],
    [
      `set_stack, from the fifth time, ${what}`,
      {
        metadata: LLVM,
        more:
          ENDLESS +
          stack(
            HONEST_GET,
            `(global.set $turns (i32.add (global.get $turns) (i32.const 1)))
             (if (i32.ge_u (global.get $turns) (i32.const 5)) (then ${body}))`,
          ),
      },
    ],
    [`save ${what}`, { metadata: AS, more: ENDLESS + keeper(`${body} (i32.const 7)`, '') }],
    [`restore ${what}`, { metadata: AS, more: ENDLESS + keeper('(i32.const 7)', body) }],
    [
      `the start function ${what}`,
      { metadata: { start: true }, more: `${ENDLESS} (func (export "wasm-fibers.start") ${body})` },
    ],
    [`a real start function ${what}`, { more: `${ENDLESS} (start $s) (func $s ${body})` }],
  ]);
}

export const JSPI_ATTACKS: readonly (readonly [string, JspiParts])[] = [
  ['does what an honest module does', {}],
  ...misdeeds(),
  ...TOKENS.flatMap((token): [string, JspiParts][] => [
    [`arrives with the token ${token}, though nothing has waited`, { attack: `(call $arrive (i32.const ${token}))` }],
    [
      `arrives with the token ${token} in place of its own`,
      { afterSuspend: `(local.set $token (i32.const ${token}))`, endless: token === 2 && 'mixes up its fibers' },
    ],
    [`arrives once more, with ${token}`, { afterArrive: `(drop (call $arrive (i32.const ${token})))` }],
    [`malloc for regions gives ${token}`, { malloc: `(i32.const ${token})`, metadata: LLVM, more: stack(HONEST_GET) }],
    [`get_stack gives ${token}`, { metadata: LLVM, more: stack(`(i32.const ${token})`) }],
    [`save gives ${token}`, { metadata: AS, more: keeper(`(i32.const ${token})`, '') }],
  ]),
  ['suspends again and again', { afterSuspend: '(call $suspend) (call $suspend)' }],
  ['suspends again and again, and catches it', { afterSuspend: '(try (do (call $suspend)) (catch_all))' }],
  ['arrives with its own token again', { afterArrive: '(drop (call $arrive (local.get $token)))' }],
  ['never suspends, though it should', { attack: '(drop (call $import_wait (local.get 0))) (i32.const 3)' }],
  [
    'never suspends, and waits elsewhere in the meantime',
    { attack: '(drop (call $import_wait (local.get 0))) (call $wait2 (i32.const 1))' },
  ],
  ['asks for a thousand waits at once', { attack: repeat(1000, '(drop (call $import_wait (local.get $i)))') }],
  [
    'suspends for a wait of before',
    { attack: '(drop (call $import_wait (local.get 0))) (call $suspend) (i32.const 1)' },
  ],
  [
    'catches everything',
    {
      endless: true,
      attack: `(try (result i32) (do (call $wait (local.get 0))) (catch_all
      (try (result i32) (do (call $wait2 (local.get 0))) (catch_all (i32.const 1)))))`,
    },
  ],
  ['says that it has returned, and waits', { attack: '(call $returned (i32.const 7)) (call $wait (local.get 0))' }],
  ['says a thousand times that it has returned', { attack: repeat(1000, '(call $returned (local.get $i))') }],
  [
    'get_stack gives another value each time',
    {
      metadata: LLVM,
      more: stack(
        '(global.set $turns (i32.mul (i32.add (global.get $turns) (i32.const 7)) (i32.const 1103515245))) (global.get $turns)',
      ),
    },
  ],
  [
    'all of the memory is overwritten while fibers are suspended',
    { more: '(func (export "scribble") (memory.fill (i32.const 0) (i32.const 255) (i32.const 131072)))' },
  ],
  ['says that nothing may wait', { metadata: { imports: [] } }],
  ...['memory', 'wasm-fibers.set_pending', 'malloc'].map((without): [string, JspiParts] => [
    `without the export ${without}`,
    { without, metadata: LLVM, more: stack(HONEST_GET) },
  ]),
  [
    'a control of another type',
    {
      without: 'wasm-fibers.set_pending',
      more: '(func (export "wasm-fibers.set_pending") (param i64) (result i64) (local.get 0))',
    },
  ],
  [
    'a control that is a global',
    {
      without: 'wasm-fibers.set_pending',
      more: '(global (export "wasm-fibers.set_pending") i32 (i32.const 0))',
    },
  ],
  ...[0, 1, 59_999, 60_001, 2 ** 32 - 1].map((low): [string, JspiParts] => [
    `the stack ends at ${low}`,
    { metadata: { stack: { kind: 'llvm', low } }, more: stack(HONEST_GET) },
  ]),
  ['no allocator and a stack', { metadata: { ...LLVM, allocator: null }, more: stack(HONEST_GET) }],
  ['a stack pointer that is not there', { metadata: LLVM }],
  ['the collector is not there', { metadata: AS, more: stack(HONEST_GET) }],
  ['the start function is not there', { metadata: { start: true } }],
  [
    'the start function waits for ever',
    { metadata: { start: true }, more: '(func (export "wasm-fibers.start") (drop (call $wait (i32.const 1))))' },
  ],
  ['fiber globals that are not there', { metadata: { globals: ['nothing', '__proto__'] } }],
  [
    'fiber globals that cannot be set',
    { metadata: { globals: ['fixed'] }, more: '(global (export "fixed") i32 (i32.const 1))' },
  ],
];
