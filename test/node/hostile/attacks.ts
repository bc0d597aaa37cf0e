// What hostile modules do. Each is a lie that passes the checks before instantiation, or fails them.
import type { Parts } from './modules.ts';

/** Attack bodies know the state: 0 normal, 1 unwinding, 2 rewinding. */
const inState = (state: number, body: string, otherwise = '(call $wait (local.get 0))'): string =>
  `(if (result i32) (i32.eq (global.get $state) (i32.const ${state})) (then ${body}) (else ${otherwise}))`;
/** Waits, and goes on as if nothing had happened while it should unwind. */
const whileUnwinding = (body: string): string =>
  `(local $value i32) (local.set $value (call $wait (local.get 0)))
   (if (i32.eq (global.get $state) (i32.const 1)) (then ${body})) (local.get $value)`;
const repeat = (times: number, body: string): string =>
  `(local $i i32) (local $value i32) (local.set $value (call $wait (local.get 0)))
   (if (i32.eq (global.get $state) (i32.const 1)) (then
     (loop $next ${body} (local.set $i (i32.add (local.get $i) (i32.const 1)))
       (br_if $next (i32.lt_u (local.get $i) (i32.const ${times}))))))
   (local.get $value)`;
const header = (offset: number, value: number): string =>
  `(i32.store offset=${offset} (global.get $data) (i32.const ${value}))`;
export const POSITIONS: readonly number[] = [0, -1, 1, 0x7fffffff, -0x80000000, 65_535, 65_537, 131_072, 66_000];

const stack = (get: string, set = ''): string =>
  `(global $sp (mut i32) (i32.const 60000))
   (func (export "wasm-fibers.get_stack") (result i32) ${get})
   (func (export "wasm-fibers.set_stack") (param i32 i32 i32) (global.set $sp (local.get 0)) ${set})`;
const HONEST_GET = '(global.get $sp)';
const LLVM = { stack: { kind: 'llvm', low: 1024 } };
const AS = { stack: { kind: 'assemblyscript' } };
const keeper = (save: string, restore: string, window = '(i32.const 65536)'): string =>
  `${stack('(i32.const 50000)')}
   (func (export "__fibers_save") (param i32 i32) (result i32) ${save})
   (func (export "__fibers_restore") (param i32 i32 i32) ${restore})
   (func (export "__fibers_window") (param i32) (result i32) ${window})`;

/** What a control may do instead of its work. */
export const MISDEEDS: Readonly<Record<string, string>> = {
  traps: 'unreachable',
  waits: '(drop (call $wait (i32.const 1)))',
  drains: '(drop (call $drain (i32.const 65600)))',
  refills: '(drop (call $refill))',
  'calls back': '(drop (call $note (i32.const 1)))',
  'calls a trampoline': '(drop (call $invoke (i32.const 1)))',
  'runs the attack': '(drop (call $attack (i32.const 1)))',
  'recurses for ever': '(drop (call $endless (i32.const 1)))',
  'grows the memory': '(drop (memory.grow (i32.const 1)))',
  'reports an overflow': '(call $overflow (i32.const -1))',
};
export const ENDLESS: string =
  '(func $endless (param i32) (result i32) (i32.add (call $endless (local.get 0)) (call $endless (local.get 0))))';

function misdeeds(): [string, Parts][] {
  return Object.entries(MISDEEDS).flatMap(([what, body]): [string, Parts][] => [
    [`start_unwind ${what}`, { startUnwind: body, more: ENDLESS }],
    [`stop_unwind ${what}`, { stopUnwind: body, more: ENDLESS }],
    [`start_rewind ${what}`, { startRewind: body, more: ENDLESS }],
    [`stop_rewind ${what}`, { stopRewind: body, more: ENDLESS }],
    [`malloc ${what}`, { malloc: `${body} (i32.const 65536)`, more: ENDLESS }],
    [`get_stack ${what}`, { metadata: LLVM, more: ENDLESS + stack(`${body} ${HONEST_GET}`) }],
    [
      `get_stack, the fifth time, ${what}`,
      {
        metadata: LLVM,
        more:
          ENDLESS +
          stack(
            `(global.set $turns (i32.add (global.get $turns) (i32.const 1)))
             (if (i32.eq (global.get $turns) (i32.const 5)) (then ${body})) ${HONEST_GET}`,
          ),
      },
    ],
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
    [`window ${what}`, { metadata: AS, more: ENDLESS + keeper('(i32.const 7)', '', `${body} (i32.const 65536)`) }],
    [
      `get_catch_depth ${what}`,
      {
        metadata: { catchDepth: true },
        more: `${ENDLESS}
          (func (export "wasm-fibers.get_catch_depth") (result i32) ${body} (i32.const 0))
          (func (export "wasm-fibers.set_catch_depth") (param i32))`,
      },
    ],
    [
      `set_catch_depth ${what}`,
      {
        metadata: { catchDepth: true },
        more: `${ENDLESS}
          (func (export "wasm-fibers.get_catch_depth") (result i32) (i32.const 0))
          (func (export "wasm-fibers.set_catch_depth") (param i32) ${body})`,
      },
    ],
    [`while unwinding it ${what}`, { attack: whileUnwinding(body), more: ENDLESS }],
    [`while rewinding it ${what}`, { attack: inState(2, `${body} (i32.const 1)`), more: ENDLESS }],
    [
      `while rewinding it ${what}, then waits`,
      { attack: inState(2, `${body} (call $wait (i32.const 1))`), endless: true, more: ENDLESS },
    ],
    [
      `the start function ${what}`,
      { metadata: { start: true }, more: `${ENDLESS} (func (export "wasm-fibers.start") ${body})` },
    ],
    [`a real start function ${what}`, { more: `${ENDLESS} (start $s) (func $s ${body})` }],
  ]);
}

export const ATTACKS: readonly (readonly [string, Parts])[] = [
  ['does what an honest module does', {}],
  ...misdeeds(),
  ...POSITIONS.flatMap((position): [string, Parts][] => [
    [`the header's position becomes ${position} when it unwinds`, { startUnwind: header(0, position) }],
    [`the header's end becomes ${position} when it unwinds`, { startUnwind: header(4, position) }],
    [`the header's position becomes ${position} when it rewinds`, { startRewind: header(0, position) }],
    [`drain(${position}) while unwinding`, { attack: whileUnwinding(`(drop (call $drain (i32.const ${position})))`) }],
    [`malloc gives ${position}`, { malloc: `(i32.const ${position})` }],
    [
      `malloc for regions gives ${position}`,
      { malloc: `(i32.const ${position})`, metadata: LLVM, more: stack(HONEST_GET) },
    ],
    [`get_stack gives ${position}`, { metadata: LLVM, more: stack(`(i32.const ${position})`) }],
    [
      `an AssemblyScript window at ${position}`,
      { metadata: AS, more: keeper('(i32.const 7)', '', `(i32.const ${position})`) },
    ],
    [`save gives ${position}`, { metadata: AS, more: keeper(`(i32.const ${position})`, '') }],
    [
      `the catch depth is ${position}`,
      {
        metadata: { catchDepth: true },
        more: `(func (export "wasm-fibers.get_catch_depth") (result i32) (i32.const ${position}))
             (func (export "wasm-fibers.set_catch_depth") (param i32))`,
      },
    ],
  ]),
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
    {
      more: '(func (export "scribble") (memory.fill (i32.const 0) (i32.const 255) (i32.const 131072)))',
    },
  ],
  [
    'all of the memory is zeroed while fibers are suspended',
    {
      more: '(func (export "scribble") (memory.fill (i32.const 0) (i32.const 0) (i32.const 131072)))',
    },
  ],
  [
    'the memory grows while fibers are suspended',
    { more: '(func (export "scribble") (drop (memory.grow (i32.const 3))))' },
  ],
  ['waits again and again while it should unwind', { attack: repeat(50, '(drop (call $wait (local.get $i)))') }],
  ['waits elsewhere while it should unwind', { attack: repeat(50, '(drop (call $wait2 (local.get $i)))') }],
  ['calls the host while it should unwind', { attack: repeat(5, '(drop (call $note (local.get $i)))') }],
  ['calls trampolines while it should unwind', { attack: repeat(5, '(drop (call $invoke (local.get $i)))') }],
  ['drains without end', { attack: repeat(3_000_000, '(drop (call $drain (i32.const 65792)))') }],
  ['drains nothing, without end', { attack: repeat(3_000_000, '(drop (call $drain (i32.const 65552)))') }],
  ['refills without end', { attack: inState(2, '(loop $next (drop (call $refill)) (br $next)) (i32.const 0)') }],
  ['calls another import when it rewinds', { attack: inState(2, '(call $wait2 (local.get 0))') }],
  ['calls a trampoline when it rewinds', { attack: inState(2, '(call $invoke (local.get 0))') }],
  ['calls the host when it rewinds', { attack: inState(2, '(call $note (local.get 0))') }],
  ['never unwinds, by resetting its own state', { attack: whileUnwinding('(global.set $state (i32.const 0))') }],
  ['switches itself', { attack: '(global.set $state (i32.const 2)) (call $wait (local.get 0))' }],
  ['goes deeper for ever while it rewinds', { attack: inState(2, '(call $attack (local.get 0))') }],
  [
    'catches everything while it unwinds and rewinds',
    {
      endless: true,
      attack: `(try (result i32) (do (call $wait (local.get 0))) (catch_all
      (try (result i32) (do (call $wait2 (local.get 0))) (catch_all (i32.const 1)))))`,
    },
  ],
  [
    'catches everything, while its controls trap',
    {
      attack: '(try (result i32) (do (call $wait (local.get 0))) (catch_all (i32.const 1)))',
      startUnwind: 'unreachable',
      stopUnwind: 'unreachable',
    },
  ],
  [
    'pretends that every import may wait',
    {
      metadata: {
        imports: ['wait', 'wait2', 'note', 'invoke_i'].map((name) => ({
          module: 'env',
          name,
          params: [],
          results: [],
          suspending: true,
        })),
      },
      attack: '(i32.add (call $note (i32.const 1)) (call $wait (local.get 0)))',
    },
  ],
  [
    'pretends that imports give something else',
    {
      metadata: {
        imports: ['wait', 'wait2', 'note', 'invoke_i'].map((name) => ({
          module: 'env',
          name,
          params: ['x'],
          results: ['i64', 'nonsense'],
          suspending: true,
        })),
      },
    },
  ],
  ['says that nothing may wait', { metadata: { imports: [] } }],
  ...[0, 1, 17, 65_536, 2 ** 30, 2 ** 31, 2 ** 32 - 1].map((largestFrame): [string, Parts] => [
    `the largest frame is ${largestFrame}`,
    { metadata: { largestFrame } },
  ]),
  ...[0, 1, 59_999, 60_001, 2 ** 32 - 1].map((low): [string, Parts] => [
    `the stack ends at ${low}`,
    { metadata: { stack: { kind: 'llvm', low } }, more: stack(HONEST_GET) },
  ]),
  [
    'an allocator by growth, with a memory that cannot grow',
    { memory: '2 2', metadata: { allocator: { kind: 'grow' } } },
  ],
  ['an allocator by growth, for an absurd frame', { metadata: { allocator: { kind: 'grow' }, largestFrame: 2 ** 31 } }],
  ['no allocator', { metadata: { allocator: null } }],
  ['no allocator and a stack', { metadata: { ...LLVM, allocator: null }, more: stack(HONEST_GET) }],
  [
    'an allocator that is the attack itself',
    { metadata: { allocator: { kind: 'exports', alloc: 'attack', free: 'attack' } } },
  ],
  ['an allocator that is a memory', { metadata: { allocator: { kind: 'exports', alloc: 'memory', free: 'memory' } } }],
  [
    'an allocator that is not there',
    { metadata: { allocator: { kind: 'exports', alloc: '__proto__', free: 'constructor' } } },
  ],
  [
    'an allocator of another type',
    {
      metadata: { allocator: { kind: 'exports', alloc: 'wide', free: 'wide' } },
      more: '(func (export "wide") (param i64) (result i64) (local.get 0))',
    },
  ],
  ...[
    'memory',
    'asyncify_start_unwind',
    'asyncify_stop_unwind',
    'asyncify_start_rewind',
    'asyncify_stop_rewind',
    'malloc',
  ].map((without): [string, Parts] => [`without the export ${without}`, { without }]),
  [
    'controls of other types',
    {
      without: 'asyncify_start_unwind',
      more: '(func (export "asyncify_start_unwind") (param i64) (result i64) (local.get 0))',
    },
  ],
  [
    'a control that is a global',
    {
      without: 'asyncify_stop_rewind',
      more: '(global (export "asyncify_stop_rewind") i32 (i32.const 0))',
    },
  ],
  [
    'a stack pointer of another type',
    {
      metadata: LLVM,
      more: `(func (export "wasm-fibers.get_stack") (result i64) (i64.const 1))
           (func (export "wasm-fibers.set_stack") (param i64 i64 i64))`,
    },
  ],
  ['a stack pointer that is not there', { metadata: LLVM }],
  ['the collector is not there', { metadata: AS, more: stack(HONEST_GET) }],
  ['the start function is not there', { metadata: { start: true } }],
  [
    'the start function waits for ever',
    {
      metadata: { start: true },
      more: '(func (export "wasm-fibers.start") (drop (call $wait (i32.const 1))))',
    },
  ],
  ['fiber globals that are not there', { metadata: { globals: ['nothing', '__proto__'] } }],
  ['fiber globals that are functions', { metadata: { globals: ['attack'] } }],
  [
    'fiber globals that cannot be set',
    {
      metadata: { globals: ['fixed'] },
      more: '(global (export "fixed") i32 (i32.const 1))',
    },
  ],
  [
    'fiber globals that cannot be read',
    {
      metadata: { globals: ['wide'] },
      more: '(global (export "wide") (mut v128) (v128.const i32x4 0 0 0 0))',
    },
  ],
  [
    'exports with the names of inherited properties',
    {
      more: ['__proto__', 'constructor', 'then', 'toString', 'hasOwnProperty', 'valueOf']
        .map((name) => `(func (export "${name}") (result i32) (i32.const 1))`)
        .join(' '),
    },
  ],
  [
    'imports with the names of inherited properties',
    {
      metadata: { imports: [] },
      more: '',
    },
  ],
];
