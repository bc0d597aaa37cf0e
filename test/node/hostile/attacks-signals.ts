// What hostile modules do that take their signals from the window: they go on where they should not, with what nobody gave.
import { ENDLESS, MISDEEDS, POSITIONS } from './attacks.ts';
import type { Parts, Signals } from './modules.ts';

const word = (offset: number, value: number): string =>
  `(i32.store offset=${offset} (global.get $data) (i32.const ${value}))`;

/** A moment of an honest module, as a change to it. */
const MOMENTS: Readonly<Record<string, (body: string) => Signals>> = {
  'before it enters': (body) => ({ beforeEnter: body }),
  'after it has entered': (body) => ({ afterEnter: body }),
  'as it begins to unwind': (body) => ({ unwinding: body }),
  'as it saves its frame': (body) => ({ saving: body }),
  'as it loads its frame': (body) => ({ loading: body }),
  'where it is to take its value': (body) => ({
    arriving: `${body} ${word(16, 0)} (global.set $state (i32.const 0))`,
  }),
};

const NUMBERS = [0, 2, 99, 0x7fffffff, -1, -0x80000000];

export const SIGNAL_ATTACKS: readonly (readonly [string, Parts])[] = [
  ['does what an honest module does', { signals: {} }],
  ['waits twice, as an honest one does', { signals: {}, attack: '(call $wait (call $wait (local.get 0)))' }],
  ...Object.entries(MOMENTS).flatMap(([when, at]) => [
    ...Object.entries({
      ...MISDEEDS,
      enters: '(call $enter (i32.const 1))',
      'resets its state': '(global.set $state (i32.const 0))',
      'unwinds for nothing': '(global.set $state (i32.const 1))',
      'rewinds for nothing': '(global.set $state (i32.const 2))',
      'forgets the window': '(global.set $data (i32.const 0))',
    }).map(([what, body]): [string, Parts] => [
      `${when} it ${what}`,
      {
        signals: at(body),
        attack: '(i32.add (call $wait (local.get 0)) (call $wait (i32.const 3)))',
        more: ENDLESS,
        endless: what === 'waits' || what === 'runs the attack',
      },
    ]),
    ...NUMBERS.map((number): [string, Parts] => [
      `${when} the signal is ${number}`,
      { signals: at(word(16, number)), attack: '(call $wait (call $wait (local.get 0)))' },
    ]),
    ...POSITIONS.map((position): [string, Parts] => [
      `${when} the position is ${position}`,
      { signals: at(word(0, position)), attack: '(call $wait (call $wait (local.get 0)))' },
    ]),
  ]),
  ...NUMBERS.map((outermost): [string, Parts] => [
    `says that the function ${outermost} is the outermost`,
    { signals: { outermost }, attack: '(call $wait (call $wait (call $wait (local.get 0))))' },
  ]),
  [
    'takes every value for its own',
    { signals: { arrives: '(i32.const 1)' }, attack: '(call $wait (call $wait2 (local.get 0)))' },
  ],
  [
    'takes no value for its own',
    { signals: { arrives: '(i32.const 0)' }, attack: '(call $wait (call $wait (local.get 0)))' },
  ],
  [
    'takes its value and still rewinds',
    { signals: { arriving: '' }, attack: '(call $wait (call $wait (local.get 0)))' },
  ],
  [
    'takes its value and leaves the signal',
    { signals: { arriving: '(global.set $state (i32.const 0))' }, attack: '(call $wait (call $wait (local.get 0)))' },
  ],
  [
    'calls another import when it rewinds',
    {
      signals: {},
      attack:
        '(if (result i32) (i32.eq (global.get $state) (i32.const 2)) (then (call $wait2 (i32.const 1))) (else (call $wait (call $wait (local.get 0)))))',
    },
  ],
  [
    'calls the host when it rewinds',
    {
      signals: {},
      attack:
        '(if (result i32) (i32.eq (global.get $state) (i32.const 2)) (then (call $note (i32.const 1))) (else (call $wait (call $wait (local.get 0)))))',
    },
  ],
  [
    'has a trampoline between its frames',
    { signals: {}, attack: '(i32.add (call $invoke (i32.const 1)) (call $wait (local.get 0)))' },
  ],
  [
    'all of the memory is overwritten while fibers are suspended',
    {
      signals: {},
      attack: '(call $wait (call $wait (local.get 0)))',
      more: '(func (export "scribble") (memory.fill (i32.const 0) (i32.const 255) (i32.const 131072)))',
    },
  ],
  [
    'the memory grows while fibers are suspended',
    {
      signals: {},
      attack: '(call $wait (call $wait (local.get 0)))',
      more: '(func (export "scribble") (drop (memory.grow (i32.const 3))))',
    },
  ],
];
