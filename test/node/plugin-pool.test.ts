/** The instances of a plugin, where no call of a plugin comes at will: between the end of one instance and the next. */
import { describe, expect, test } from 'vitest';
import { Call } from '../../host/plugin/call.ts';
import { Statistics } from '../../host/plugin/statistics.ts';
import { describe as identify, openVersion } from '../../host/plugin/version.ts';
import { backend } from '../support/backend.ts';
import { code } from '../support/core.ts';
import { loadPlain } from '../support/guest.ts';
import { functions } from '../support/plugin.ts';

describe('a call that is to try again with another instance', () => {
  test.each([[undefined], [1], [3]])(
    'fails when the plugin was disposed of meanwhile (instances: %s)',
    async (instances) => {
      const options = { backend, hostFunctions: functions(), ...(instances !== undefined && { instances }) };
      const bytes = await loadPlain('plugin');
      const { pool } = await openVersion(bytes, identify(bytes, options), options, new Statistics());
      const call = new Call('notes', 'the plugin', true, {});
      pool.release(await pool.acquire(call));
      await pool.dispose();
      // It did not end: the pool made instances for it, without end and in one turn.
      expect(await code(pool.acquire(call))).toBe('DISPOSED');
      call.close();
    },
  );
});
