// SEMANTICS N.5 where the engine's stack ends: whatever suspends can resume, on the main thread, with a raised stack size
// and in worker threads, and what is too deep fails at the wait.
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { backend, perBackend } from '../support/backend.ts';
import { ROOT, run } from '../support/temporary.ts';

interface Report {
  readonly limit: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly after: string;
}

const PROBE = path.join(ROOT, 'test/node/depth/probe.mjs');

async function inProcess(name: string, ...flags: string[]): Promise<Report> {
  const { code, stdout, stderr } = await run(process.execPath, [...flags, PROBE, backend, name], ROOT);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return JSON.parse(stdout) as Report;
}

function inThread(name: string, stackSizeMb: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(PROBE, { argv: [backend, name], resourceLimits: { stackSizeMb } });
    worker.on('message', (text: string) => resolve(JSON.parse(text) as Report));
    worker.on('error', reject);
  });
}

function check({ limit, outcomes, after }: Report, least: number): void {
  const { ok = 0, STACK_OVERFLOW = 0, DEPTH_LIMIT = 0, ...others } = outcomes;
  expect(others).toEqual({});
  expect(ok).toBeGreaterThan(0);
  expect(STACK_OVERFLOW + DEPTH_LIMIT).toBeGreaterThan(0);
  expect(limit).toBeGreaterThan(least);
  expect(after).toBe('ok');
}

/** `deep_loop` has a body for the time after its first suspension, which has never run when the stack is at its deepest. */
describe.each(['deep', 'deep_loop'])(
  'N.5 at the depth at which the engine stack ends, whatever has suspended resumes (%s)',
  (name) => {
    // The stacks that the engine makes for JSPI are of one size, whatever that of the thread is.
    const more = (asyncify: number): number => perBackend({ asyncify, jspi: 4000 });
    test('on the main thread', async () => check(await inProcess(name), 4000));
    test('with a raised --stack-size', async () => check(await inProcess(name, '--stack-size=3600'), more(16_000)));
    test('in a worker thread', async () => check(await inThread(name, 4), 4000));
    test('in a worker thread with much more stack', async () => check(await inThread(name, 12), more(20_000)));
  },
);
