/** The Nodes to measure on: this one, the first with JSPI, and the newest, which the tests bring for their own sake. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { spawnSync } from 'node:child_process';

export interface NodeVersion {
  readonly executable: string;
  /** Without `v`. */
  readonly version: string;
  readonly major: number;
}

const OTHERS = [24, 26];

/** Oldest first. The others are absent where they are not installed; `missing` then says how to install them. */
export function findNodes(): { nodes: NodeVersion[]; missing: string[] } {
  const nodes = [describe(process.execPath, process.versions.node)];
  const missing: string[] = [];
  for (const major of OTHERS) {
    if (nodes.some((node) => node.major >= major)) continue;
    const executable = fileURLToPath(new URL(`../../test/nodes/node_modules/node${major}/bin/node`, import.meta.url));
    if (existsSync(executable)) {
      const { stdout } = spawnSync(executable, ['--version'], { encoding: 'utf8' });
      nodes.push(describe(executable, stdout.trim().slice(1)));
    } else missing.push(`Node ${major}: install it by npm ci --prefix test/nodes (linux-x64)`);
  }
  return { nodes, missing };
}

function describe(executable: string, version: string): NodeVersion {
  return { executable, version, major: Number.parseInt(version, 10) };
}
