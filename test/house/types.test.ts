// The whole tree type-checks, the tests of types (test/types) among it; and what runs in browsers needs no Node types.
import { expect, test } from 'vitest';
import { ROOT, runTool } from '../support/temporary.ts';

test.each([
  ['the whole tree', 'tsconfig.json'],
  ['what runs in browsers, without the types of Node', 'tsconfig.core.json'],
])('%s type-checks', async (_name, project) => {
  const { code, stdout } = await runTool('typescript/bin/tsc', ['-p', project, '--pretty', 'false'], ROOT);
  expect(stdout).toBe('');
  expect(code).toBe(0);
});
