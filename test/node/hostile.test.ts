// SEMANTICS I.9 and I.10: a module is hostile input. Whatever its custom section says and its exports do, the host does
// not hang, every promise settles, the failure is one of ours or a trap of that guest, and other guests never notice.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, describe, expect, test } from 'vitest';
import { backend, onlyOn, perBackend } from '../support/backend.ts';
import { JSPI_ATTACKS } from './hostile/attacks-jspi.ts';
import { SIGNAL_ATTACKS } from './hostile/attacks-signals.ts';
import { ATTACKS } from './hostile/attacks.ts';
import {
  hostile,
  hostileJspi,
  type JspiParts,
  METADATA,
  METADATA_JSPI,
  withoutSections,
  withSection,
} from './hostile/modules.ts';

/** A module that does no harm, and what it says of itself. */
const HONEST = perBackend({ asyncify: hostile({}), jspi: hostileJspi({}) });
const SECTION = perBackend({ asyncify: METADATA, jspi: METADATA_JSPI });

/** Milliseconds after which the process is taken to hang. */
const LIMIT = 10_000;

interface Report {
  readonly outcomes: readonly string[];
  readonly survived: boolean;
  readonly idle: boolean;
  readonly unhandled: readonly string[];
}

let host: ChildProcess | undefined;

afterAll(() => {
  host?.kill('SIGKILL');
});

async function start(): Promise<ChildProcess> {
  const started = fork(new URL('./hostile/worker.mjs', import.meta.url), [backend], {
    serialization: 'advanced',
    execArgv: ['--max-old-space-size=256'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await once(started, 'message');
  return started;
}

/** Uses a module in another process; one that hangs or dies is replaced. */
async function use(bytes: Uint8Array, how: { spoken?: boolean; options?: object } = {}): Promise<Report> {
  const child = (host ??= await start());
  return new Promise((resolve, reject) => {
    const end = (report: Report | string): void => {
      clearTimeout(timer);
      child.removeAllListeners();
      if (typeof report !== 'string') return resolve(report);
      host = undefined;
      child.kill('SIGKILL');
      reject(new Error(report));
    };
    const timer = setTimeout(() => end('the host hangs'), LIMIT);
    child.once('message', (report) => end(report as Report));
    child.once('exit', (code, signal) => end(`the host ended: ${code ?? signal}`));
    child.send({ bytes, ...how });
  });
}

/** Every outcome is a value, an error of ours, or a trap; or what the engine says of a function of another type. */
const ALLOWED = /: (?:value|FiberError [A-Z_]+|RuntimeError|TypeError Cannot convert .* to a BigInt|0)$/;

function judge({ outcomes, survived, idle, unhandled }: Report, endless: JspiParts['endless'] = false): void {
  const odd = outcomes.filter((outcome) => !ALLOWED.test(outcome));
  // A guest that mixes up its own fibers loses one of them, and is never rid of it.
  const forEver =
    endless === 'mixes up its fibers' ? /^(?:fiber|again|dispose): pending$|^left: 1$/ : /^(?:fiber|again): pending$/;
  expect(endless === false ? odd : odd.filter((outcome) => !forEver.test(outcome))).toEqual([]);
  expect(unhandled).toEqual([]);
  expect({ survived, idle }).toEqual({ survived: true, idle: true });
}

describe('I.9 what a module does harms nobody else', () => {
  test('an honest one of this make works', async () => {
    const report = await use(HONEST);
    judge(report);
    expect(report.outcomes.filter((outcome) => outcome === 'fiber: value')).toHaveLength(3);
    expect(report.outcomes).toContain('again: value');
  });

  const both = (attacks: readonly (readonly [string, Pick<JspiParts, 'endless'>, Uint8Array])[]): void => {
    test.each(attacks)('%s', async (_name, { endless }, bytes) => {
      judge(await use(bytes), endless);
    });

    test.each(attacks)('%s (exclusive, poison)', async (_name, { endless }, bytes) => {
      judge(await use(bytes, { options: { exclusive: true, onTrap: 'poison' } }), endless);
    });
  };

  onlyOn('asyncify', 'attacks on unwinding', () => {
    both(ATTACKS.map(([name, parts]) => [name, parts, hostile(parts)]));

    describe('by signals', () => {
      both(SIGNAL_ATTACKS.map(([name, parts]) => [name, parts, hostile(parts)]));
    });
  });

  onlyOn('jspi', 'attacks on the switching of the engine', () => {
    both(JSPI_ATTACKS.map(([name, parts]) => [name, parts, hostileJspi(parts)]));
  });
});

describe('I.9 what the custom section says is checked', () => {
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const without = (key: string): string => JSON.stringify({ ...SECTION, [key]: undefined });
  const WRONG: readonly unknown[] = [
    null,
    true,
    -1,
    1.5,
    2 ** 32,
    Number.POSITIVE_INFINITY,
    '',
    'x',
    [],
    {},
    [null],
    [[]],
    [{}],
    { kind: 'x' },
  ];
  const forged: [string, string | Uint8Array, boolean][] = [
    ['empty', '', false],
    ['not JSON', 'nonsense', false],
    ['not UTF-8', Uint8Array.of(0x22, 0xff, 0xfe, 0x22), false],
    ['a string', '"x"', false],
    ['null', 'null', false],
    ['an array', '[]', false],
    ['deep', deep(1_000_000), false],
    ['deep in a field', JSON.stringify(SECTION).replace('"options":{}', `"options":{"x":${deep(100_000)}}`), true],
    ['huge', `{"x":"${'x'.repeat(17 << 20)}"}`, false],
    ['an object that sets its prototype', JSON.stringify({ ['__proto__']: SECTION }), false],
    [
      'keys of prototypes',
      JSON.stringify(SECTION).replace('{', '{"__proto__":{"version":9},"constructor":null,'),
      true,
    ],
    ['a newer version', JSON.stringify({ ...SECTION, version: 4 }), false],
    ...Object.keys(SECTION).map((key): [string, string, boolean] => [`without ${key}`, without(key), false]),
  ];

  test.each(forged)('%s', async (_name, content, accepted) => {
    const bytes = withSection(withoutSections(HONEST), content);
    const report = await use(bytes, { spoken: accepted });
    judge(report);
    expect(report.outcomes[0]).toBe(accepted ? 'instantiate: value' : 'instantiate: FiberError BAD_METADATA');
  });

  test.each(Object.keys(SECTION))('any wrong value of %s', async (key) => {
    for (const value of WRONG) {
      const text = JSON.stringify({ ...SECTION, [key]: 'VALUE' }).replace(
        '"VALUE"',
        value === Number.POSITIVE_INFINITY ? '1e400' : JSON.stringify(value),
      );
      judge(await use(withSection(withoutSections(HONEST), text)));
    }
  });

  test('the first of two sections counts', async () => {
    const twice = withSection(withSection(withoutSections(HONEST), JSON.stringify(SECTION)), 'nonsense');
    judge(await use(twice));
  });
});
