/** The Nodes to measure on: this one, and the newest, which the tests bring for their own sake. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';

export interface NodeVersion {
  readonly executable: string;
  /** Without `v`. */
  readonly version: string;
  readonly major: number;
}

const NEWEST = fileURLToPath(new URL('../../test/nodes/node_modules/node26/bin/node', import.meta.url));

/** The others are absent where they are not installed; `missing` then says how to install them. */
export function findNodes(): { nodes: NodeVersion[]; missing: string[] } {
  const own = describe(process.execPath, process.versions.node);
  if (own.major >= 26) return { nodes: [own], missing: [] };
  if (!existsSync(NEWEST)) {
    return { nodes: [own], missing: ['Node 26: install it by npm ci --prefix test/nodes (linux-x64)'] };
  }
  const { stdout } = spawnSync(NEWEST, ['--version'], { encoding: 'utf8' });
  return { nodes: [own, describe(NEWEST, stdout.trim().slice(1))], missing: [] };
}

function describe(executable: string, version: string): NodeVersion {
  return { executable, version, major: Number.parseInt(version, 10) };
}
